#include "hostmesh/base/ids.hpp"

#include <sodium.h>

#include <array>

namespace hostmesh {

namespace {

constexpr std::string_view kAlphabet = "123456789abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ";
constexpr std::size_t kDigits = 12;

Error bad_name(std::string_view text) {
  return Error(
      Cause::kInvalidArgument,
      "'" + std::string(text) +
          "' is not a name: names must contain only alphanumeric characters and underscores, and must "
          "start with a letter or underscore");
}

}  // namespace

ShortUuid ShortUuid::random() {
  std::uint64_t value = 0;
  ::randombytes_buf(&value, sizeof value);
  return ShortUuid(value);
}

Result<ShortUuid> ShortUuid::parse(std::string_view text) {
  std::uint64_t value = 0;
  std::size_t digits = 0;
  for (const char c : text) {
    if (c == '_' || c == '-') continue;
    const std::size_t digit = kAlphabet.find(c);
    if (digit == std::string_view::npos || ++digits > kDigits ||
        __builtin_mul_overflow(value, std::uint64_t{58}, &value) ||
        __builtin_add_overflow(value, static_cast<std::uint64_t>(digit), &value)) {
      return Error(Cause::kInvalidArgument, "'" + std::string(text) + "' is not a uuid");
    }
  }
  if (digits == 0) return Error(Cause::kInvalidArgument, "an empty uuid");
  return ShortUuid(value);
}

std::string ShortUuid::digits() const {
  std::string text(kDigits, kAlphabet.front());
  std::uint64_t left = value_;
  for (std::size_t i = kDigits; i-- > 0 && left != 0; left /= 58) text[i] = kAlphabet[left % 58];
  return text;
}

std::string ShortUuid::text() const {
  std::string text = digits();
  // 58^11 exceeds 2^64, so the first digit is always '1' and this always holds; the rule is kept for what it
  // says.
  return text.front() >= '0' && text.front() <= '9' ? "_" + text : text;
}

bool is_identifier(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (text.empty() || !letter(text.front())) return false;
  for (const char c : text) {
    if (!letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

Result<Name> Name::unique(std::string_view base) {
  if (base.empty()) base = "unnamed";
  if (!is_identifier(base)) return bad_name(base);
  return Name(std::string(base), std::string(base) + "-" + ShortUuid::random().digits());
}

Result<Name> Name::reserved(std::string_view base) {
  if (!is_identifier(base)) return bad_name(base);
  return Name(std::string(base), std::string(base));
}

Result<Name> Name::parse(std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return reserved(text);
  const std::string_view base = text.substr(0, dash);
  if (!is_identifier(base)) return bad_name(text);
  const auto uuid = ShortUuid::parse(text.substr(dash + 1));
  if (!uuid) return bad_name(text);
  return Name(std::string(base), std::string(base) + "-" + uuid->digits());
}

}  // namespace hostmesh
