#include "hostmesh/process/lines.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

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

// The text without the start of a character at its end.
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

}  // namespace

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

LineSplitter::LineSplitter(std::size_t max_line) : max_line_(std::max<std::size_t>(max_line, 4)) {}

void LineSplitter::feed(ByteView chunk, const Sink& sink) {
  std::string_view rest(reinterpret_cast<const char*>(chunk.data()), chunk.size());
  while (!rest.empty()) {
    const std::size_t newline = rest.find('\n');
    const bool whole = newline != std::string_view::npos;
    std::string_view part = rest.substr(0, newline);
    rest.remove_prefix(whole ? newline + 1 : rest.size());
    if (pending_.empty() && whole && part.size() <= max_line_) {
      goes_on_ = false;
      sink({.text = part, .continued = false});  // the common case, without a copy
      continue;
    }
    while (!part.empty()) {
      // One byte more than a line may have shows that it goes on.
      const std::size_t taken = std::min(part.size(), max_line_ + 1 - pending_.size());
      pending_.append(part.substr(0, taken));
      part.remove_prefix(taken);
      if (pending_.size() > max_line_) give_piece(sink);
    }
    if (whole) {
      goes_on_ = false;
      const std::string line = std::exchange(pending_, std::string());
      sink({.text = line, .continued = false});
    }
  }
}

void LineSplitter::give_piece(const Sink& sink) {
  std::string all = std::exchange(pending_, std::string());
  const std::string_view piece = utf8_prefix(all, max_line_);
  pending_ = all.substr(piece.size());
  goes_on_ = true;
  sink({.text = piece, .continued = true});
}

void LineSplitter::give_held(const Sink& sink) {
  const std::string all = std::exchange(pending_, std::string());
  const std::string_view piece = whole_characters(all);
  pending_ = all.substr(piece.size());
  if (piece.empty()) return;
  goes_on_ = true;
  sink({.text = piece, .continued = true});
}

void LineSplitter::finish(const Sink& sink) {
  if (!std::exchange(goes_on_, false) && pending_.empty()) return;
  const std::string line = std::exchange(pending_, std::string());
  sink({.text = line, .continued = false});
}

LineTail::LineTail(std::size_t max_lines) : max_lines_(max_lines), splitter_(kMaxLineBytes) {}

void LineTail::feed(ByteView chunk) {
  splitter_.feed(chunk, [this](const Line& piece) { add(piece); });
}

void LineTail::add(const Line& piece) {
  if (current_size_ == 0) current_ = piece.text;
  current_size_ += piece.text.size();
  if (piece.continued) return;
  std::string line = std::exchange(current_, std::string());
  const std::size_t cut = std::exchange(current_size_, 0) - line.size();
  if (std::string text = readable(line, cut); !text.empty()) lines_.push_back(std::move(text));
  if (lines_.size() > max_lines_) lines_.pop_front();
}

std::string LineTail::readable(std::string_view line, std::size_t cut) {
  while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '\t'))
    line.remove_suffix(1);
  std::string text = valid_utf8(line);
  const std::string_view kept = utf8_prefix(text, kMaxLineBytes);
  cut += text.size() - kept.size();
  text.resize(kept.size());
  if (cut > 0) text += "... (" + std::to_string(cut) + " bytes more)";
  return text;
}

std::vector<std::string> LineTail::lines() const {
  LineTail whole = *this;
  whole.splitter_.finish([&whole](const Line& piece) { whole.add(piece); });
  return {whole.lines_.begin(), whole.lines_.end()};
}

}  // namespace hostmesh
