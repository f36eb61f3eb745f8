#include "hostmesh/shape/scanner.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace hostmesh {

namespace {

constexpr std::size_t kQuotedInErrors = 200;  // characters of the text that an error repeats

constexpr std::array<std::pair<char, char>, 5> kEscapes{
    {{'"', '"'}, {'\\', '\\'}, {'n', '\n'}, {'r', '\r'}, {'t', '\t'}}};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_bare(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

}  // namespace

std::string label_text(std::string_view label) {
  if (!label.empty() && std::ranges::all_of(label, is_bare)) return std::string(label);
  std::string text = "\"";
  for (const char c : label) {
    const auto* escape = std::ranges::find(kEscapes, c, &std::pair<char, char>::second);
    if (escape != kEscapes.end()) {
      text += '\\';
      text += escape->first;
    } else {
      text += c;
    }
  }
  return text + '"';
}

void Scanner::skip_spaces() {
  while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\t')) ++position_;
}

bool Scanner::at_end() {
  skip_spaces();
  return position_ == text_.size();
}

bool Scanner::accept(char c) {
  if (at_end() || text_[position_] != c) return false;
  ++position_;
  return true;
}

Result<> Scanner::expect(char c) {
  if (accept(c)) return {};
  return error(std::string("'") + c + "'");
}

Result<> Scanner::expect_end() {
  if (at_end()) return {};
  return error("the end");
}

Result<std::string> Scanner::label() {
  if (accept('"')) return quoted();
  skip_spaces();
  const std::size_t begin = position_;
  while (position_ < text_.size() && is_bare(text_[position_])) ++position_;
  if (position_ == begin) return error("a label");
  return std::string(text_.substr(begin, position_ - begin));
}

Result<std::string> Scanner::quoted() {
  std::string label;
  while (position_ < text_.size()) {
    const char c = text_[position_++];
    if (c == '"') {
      if (label.empty()) return error("a label that is not empty");
      return label;
    }
    if (c != '\\') {
      label += c;
      continue;
    }
    const char letter = position_ < text_.size() ? text_[position_++] : '\0';
    const auto* escape = std::ranges::find(kEscapes, letter, &std::pair<char, char>::first);
    if (escape == kEscapes.end()) return error("one of \\\" \\\\ \\n \\r \\t");
    label += escape->second;
  }
  return error("a closing '\"'");
}

Result<std::uint64_t> Scanner::number() {
  skip_spaces();
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text_.data() + position_, text_.data() + text_.size(), value);
  if (failure == std::errc::result_out_of_range) return error("a number that fits 64 bits");
  if (failure != std::errc()) return error("a number");
  position_ = static_cast<std::size_t>(end - text_.data());
  return value;
}

Result<std::uint64_t> Scanner::number_before(char c) {
  const std::size_t start = position_;
  auto value = number();
  if (value && accept(c)) return value;
  position_ = start;
  return error(std::string("a number and '") + c + "'");
}

Error Scanner::error(std::string_view expected) const {
  std::string text(text_.substr(0, kQuotedInErrors));
  if (text_.size() > kQuotedInErrors) text += "...";
  return Error(Cause::kInvalidArgument, "'" + text + "' is not " + std::string(what_) + ": expected " +
                                            std::string(expected) + " at character " +
                                            std::to_string(position_ + 1));
}

}  // namespace hostmesh
