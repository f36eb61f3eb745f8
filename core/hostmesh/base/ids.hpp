// Names and unique identifiers, and their exact text forms.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// Dense index of a proc or host in its mesh; row-major over the extent.
using Rank = std::uint64_t;
// Counts the processes that have held one rank of an allocation, from 0.
using Incarnation = std::uint32_t;

// 64 random bits, written in base 58 (1-9, a-z without l, A-Z without I and O), always 12 digits.
class ShortUuid {
 public:
  ShortUuid() = default;
  explicit ShortUuid(std::uint64_t value) : value_(value) {}
  static ShortUuid random();
  // Accepts both forms below; '_' and '-' are skipped. An unknown character, more than 12 digits or a value
  // over 64 bits is an error.
  static Result<ShortUuid> parse(std::string_view text);

  std::uint64_t value() const { return value_; }
  // With a leading '_' when it would start with a digit, so that it is an identifier: 0 is "_111111111111".
  std::string text() const;
  // Always just the 12 digits.
  std::string digits() const;

  auto operator<=>(const ShortUuid&) const = default;

 private:
  std::uint64_t value_ = 0;
};

// The name of a resource: "base-uuid12" or, for well-known ones, just "base".
class Name {
 public:
  // A unique name on `base`. An empty base becomes "unnamed"; one that is not letters, digits and underscores
  // starting with a letter or underscore is an error.
  static Result<Name> unique(std::string_view base);
  // A well-known name without a suffix.
  static Result<Name> reserved(std::string_view base);
  static Result<Name> parse(std::string_view text);

  const std::string& base() const { return base_; }
  const std::string& text() const { return text_; }

  auto operator<=>(const Name&) const = default;

 private:
  Name(std::string base, std::string text) : base_(std::move(base)), text_(std::move(text)) {}
  std::string base_;
  std::string text_;
};

// True for letters, digits and underscores not starting with a digit.
bool is_identifier(std::string_view text);

// 64-bit FNV-1a, the hash behind port numbers of message types. Stable for ever: it is on the wire.
constexpr std::uint64_t fnv1a64(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3ULL;
  }
  return hash;
}

}  // namespace hostmesh

template <>
struct std::hash<hostmesh::ShortUuid> {
  std::size_t operator()(const hostmesh::ShortUuid& id) const noexcept { return id.value(); }
};
