// What the payload writes and hashes, for itself and for the suite that reads it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace hostmesh::payload {

// Byte `position` of the pattern: every value occurs, and a piece that is lost, doubled or moved shows.
inline std::uint8_t pattern_byte(std::uint64_t position) {
  std::uint64_t mixed = position * 0x9E3779B97F4A7C15ULL;
  mixed ^= mixed >> 29;
  return static_cast<std::uint8_t>(mixed >> 7);
}

// FNV-1a, 64 bits; `before` continues an earlier one.
inline constexpr std::uint64_t kEmptyHash = 0xCBF29CE484222325ULL;
inline std::uint64_t hash_of(std::span<const std::uint8_t> bytes, std::uint64_t before = kEmptyHash) {
  for (const std::uint8_t byte : bytes) before = (before ^ byte) * 0x100000001B3ULL;
  return before;
}

// Everything but letters, digits and -_./:=+, as %XX, so that a line is a line whatever is in it.
inline std::string escaped(std::string_view text) {
  constexpr std::string_view kPlain = "-_./:=+,@";
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    const bool plain = (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= 'a' && byte <= 'z') || kPlain.find(each) != std::string_view::npos;
    if (plain) {
      out += each;
    } else {
      out += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return out;
}

inline std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out;
}

// The environment variable with the words of a scenario, each escaped, with '|' between.
inline constexpr const char* kEnvScenario = "HOSTMESH_PAYLOAD_SCENARIO";
inline std::string text_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (&word == &words.front() ? "" : "|") + escaped(word);
  return text;
}
inline std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (bool more = !text.empty(); more;) {
    const std::size_t end = std::min(text.find('|'), text.size());
    words.push_back(unescaped(text.substr(0, end)));
    more = end < text.size();
    text.remove_prefix(more ? end + 1 : end);
  }
  return words;
}

}  // namespace hostmesh::payload
