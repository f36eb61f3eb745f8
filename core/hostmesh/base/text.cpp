#include "hostmesh/base/text.hpp"

#include <cstdint>

namespace hostmesh {

namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

std::uint8_t byte_at(std::string_view text, std::size_t at) {
  return static_cast<std::uint8_t>(text[at]);
}

bool is_continuation(std::uint8_t byte) {
  return (byte & 0xC0) == 0x80;
}

struct Sequence {
  std::size_t bytes;  // how many bytes belong together
  bool valid;
};

// What starts at `at`: a whole character, or the bytes that one replacement character stands for.
Sequence sequence_at(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return {1, true};
  // The second byte's range shuts out overlong forms, surrogates and what lies beyond U+10FFFF.
  std::size_t length = 0;
  std::uint8_t low = 0x80;
  std::uint8_t high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return {1, false};
  }
  for (std::size_t i = 1; i < length; ++i) {
    if (at + i >= text.size()) return {i, false};
    const std::uint8_t byte = byte_at(text, at + i);
    if (byte < low || byte > high) return {i, false};
    low = 0x80;
    high = 0xBF;
  }
  return {length, true};
}

void add_hex(std::string& text, std::string_view prefix, std::uint8_t byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  text.append(prefix);
  text += kDigits[byte >> 4];
  text += kDigits[byte & 0x0F];
}

// The number of a valid character.
std::uint32_t code_point_at(std::string_view text, std::size_t at, std::size_t bytes) {
  const std::uint8_t lead = byte_at(text, at);
  std::uint32_t point = bytes == 1 ? lead : lead & (0xFFU >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) point = point << 6 | (byte_at(text, at + i) & 0x3FU);
  return point;
}

// Characters that are not shown, and change how a terminal shows the others: C1 (CSI is one of them), those
// that set the direction of writing, and those that end a line or a paragraph.
bool is_format(std::uint32_t point) {
  const auto between = [point](std::uint32_t first, std::uint32_t last) {
    return point >= first && point <= last;
  };
  return between(0x80, 0x9F) || point == 0x061C || between(0x200E, 0x200F) || between(0x2028, 0x202E) ||
         between(0x2066, 0x2069);
}

enum class Newlines : bool { kEscaped, kKept };

bool is_plain(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (byte_at(text, at) < 0x20 || byte_at(text, at) >= 0x7F) return false;
  }
  return true;
}

std::string escaped(std::string_view bytes, Newlines newlines) {
  if (is_plain(bytes)) return std::string(bytes);
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Sequence next = sequence_at(bytes, at);
    const std::uint8_t lead = byte_at(bytes, at);
    if (!next.valid) {
      for (std::size_t i = 0; i < next.bytes; ++i) add_hex(text, "\\x", byte_at(bytes, at + i));
    } else if (lead == '\n') {
      text += newlines == Newlines::kKept ? "\n" : "\\n";
    } else if (lead == '\t') {
      text += '\t';
    } else if (lead == '\r') {
      text += "\\r";
    } else if (lead < 0x20 || lead == 0x7F) {
      add_hex(text, "\\x", lead);
    } else if (const std::uint32_t point = code_point_at(bytes, at, next.bytes); is_format(point)) {
      add_hex(text, "\\u", static_cast<std::uint8_t>(point >> 8));
      add_hex(text, "", static_cast<std::uint8_t>(point & 0xFF));
    } else {
      text += bytes.substr(at, next.bytes);
    }
    at += next.bytes;
  }
  return text;
}

}  // namespace

bool is_valid_utf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const Sequence next = sequence_at(bytes, at);
    if (!next.valid) return false;
    at += next.bytes;
  }
  return true;
}

std::string_view whole_characters(std::string_view text) {
  for (std::size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const std::size_t at = text.size() - back;
    if (is_continuation(byte_at(text, at))) continue;
    const std::uint8_t lead = byte_at(text, at);
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1;
    const bool may_become_one = length > back && lead <= 0xF4 && sequence_at(text, at).bytes == back;
    return may_become_one ? text.substr(0, at) : text;
  }
  return text;
}

std::string valid_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const Sequence next = sequence_at(bytes, at);
    text += next.valid ? bytes.substr(at, next.bytes) : kReplacement;
    at += next.bytes;
  }
  return text;
}

std::string_view utf8_prefix(std::string_view text, std::size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  std::size_t end = max_bytes;
  // A character has at most three continuation bytes; more is not UTF-8, and any border is as good.
  for (int i = 0; i < 3 && end > 0 && is_continuation(byte_at(text, end)); ++i) --end;
  return text.substr(0, is_continuation(byte_at(text, end)) ? max_bytes : end);
}

std::string printable(std::string_view text) {
  return escaped(text, Newlines::kEscaped);
}

std::string printable_lines(std::string_view text) {
  return escaped(text, Newlines::kKept);
}

std::string printable(std::string_view text, std::size_t max_bytes) {
  const std::string_view kept = utf8_prefix(text, max_bytes);
  std::string line = printable(kept);
  if (kept.size() < text.size()) line += "... (" + std::to_string(text.size() - kept.size()) + " bytes more)";
  return line;
}

}  // namespace hostmesh
