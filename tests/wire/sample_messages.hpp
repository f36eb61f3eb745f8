// Message types with every kind of field, for the tests and the fuzz target of the codec.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/secret.hpp"
#include "hostmesh/channel/addr.hpp"

namespace hostmesh::sample {

enum class Colour : std::uint8_t { kRed = 1, kBlue = 2 };
enum class Depth : std::int16_t { kBelow = -2, kAbove = 3 };

struct Empty {
  bool operator==(const Empty&) const = default;
};

struct Inner {
  std::uint16_t number = 7;
  std::string text = "preset";
  bool operator==(const Inner&) const = default;
};

struct Tree {
  std::uint8_t leaf = 0;
  std::vector<Tree> branches;
  bool operator==(const Tree&) const = default;
};

struct Everything {
  bool yes = false;
  std::int8_t small = 0;
  std::uint16_t medium = 0;
  std::int32_t large = 0;
  std::uint64_t huge = 0;
  double real = 0;
  Colour colour = Colour::kRed;
  Depth depth = Depth::kAbove;
  std::string text;
  Bytes bytes;
  std::vector<Inner> inners;
  std::array<std::uint16_t, 2> pair_of_numbers{};
  std::optional<std::string> maybe;
  std::map<std::string, std::int32_t> by_name;
  std::pair<std::int32_t, std::string> both;
  std::variant<std::int32_t, std::string, Inner> one_of;
  std::chrono::milliseconds wait{};
  ChannelAddr addr;
  Empty empty;
  Tree tree;
  bool operator==(const Everything&) const = default;
};

inline Everything everything() {
  Everything all;
  all.yes = true;
  all.small = -2;
  all.medium = 0x1234;
  all.large = -3;
  all.huge = 0x0123456789abcdefULL;
  all.real = 1.5;
  all.colour = Colour::kBlue;
  all.depth = Depth::kBelow;
  all.text = "text";
  all.bytes = {1, 2, 3};
  all.inners = {Inner{1, "a"}, Inner{2, ""}};
  all.pair_of_numbers = {5, 6};
  all.maybe = "here";
  all.by_name = {{"one", 1}, {"two", 2}};
  all.both = {9, "nine"};
  all.one_of = Inner{3, "c"};
  all.wait = std::chrono::milliseconds(250);
  all.addr = ChannelAddr::unix_abstract("x");
  all.tree = Tree{1, {Tree{2, {}}, Tree{3, {Tree{4, {}}}}}};
  return all;
}

}  // namespace hostmesh::sample
