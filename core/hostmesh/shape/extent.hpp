// Extent: the labelled dimensions of a mesh. Point: one place in it.
//
// An extent says how many things there are and how people name them; ranks count them in row-major order, the
// last dimension fastest. Both are plain immutable values, and their texts parse back.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iosfwd>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/shape/indexed_range.hpp"

namespace hostmesh {

class Point;

class Extent {
 public:
  // No dimension: exactly one rank, at the empty point.
  Extent() = default;
  // For extents written in code, Extent{{"hosts", 2}, {"gpus", 4}}. Throws what make() would return.
  Extent(std::initializer_list<std::pair<std::string_view, std::uint64_t>> dimensions);
  // Labels must be unique and not empty. A size may be 0, and then there are no ranks; the product of the
  // other sizes must still fit 64 bits, so that strides do.
  static Result<Extent> make(std::vector<std::string> labels, std::vector<std::uint64_t> sizes);
  // The inverse of text().
  static Result<Extent> parse(std::string_view text);
  // What people type on a command line: "hosts=2,gpus=4". At least one dimension.
  static Result<Extent> parse_arguments(std::string_view text);

  const std::vector<std::string>& labels() const { return labels_; }
  const std::vector<std::uint64_t>& sizes() const { return sizes_; }
  std::size_t dims() const { return labels_.size(); }
  std::uint64_t num_ranks() const { return num_ranks_; }
  std::optional<std::size_t> position(std::string_view label) const;
  std::optional<std::uint64_t> size(std::string_view label) const;

  Result<Point> point(std::vector<std::uint64_t> coords) const;
  Result<Point> point_of_rank(Rank rank) const;
  Result<Rank> rank_of_coords(std::span<const std::uint64_t> coords) const;
  // All points in the order of their ranks, made as they are asked for. The extent must outlive what is
  // returned.
  auto points() const&;
  void points() const&& = delete;

  // Our dimensions, then those of `inner`. A label that both have is an error, whatever its sizes.
  Result<Extent> concat(const Extent& inner) const;

  // "{x: 4, y: 5}", labels quoted where they must be; "{}" without dimensions.
  std::string text() const;

  bool operator==(const Extent&) const = default;

 private:
  friend class Point;
  std::vector<std::uint64_t> coords_of(Rank rank) const;

  std::vector<std::string> labels_;
  std::vector<std::uint64_t> sizes_;
  std::uint64_t num_ranks_ = 1;
};

class Point {
 public:
  // The only point of the extent without dimensions.
  Point() = default;
  // The inverse of text(); the extent is the one that the text tells.
  static Result<Point> parse(std::string_view text);

  const Extent& extent() const { return extent_; }
  const std::vector<std::uint64_t>& coords() const { return coords_; }
  std::optional<std::uint64_t> coord(std::string_view label) const;
  Rank rank() const;

  // "x=1/4,y=2/5": each coordinate with the size of its dimension. Empty without dimensions.
  std::string text() const;
  // "{'x': 1/4, 'y': 2/5}", for people.
  std::string dictionary_text() const;

  bool operator==(const Point&) const = default;

 private:
  friend class Extent;
  Point(Extent extent, std::vector<std::uint64_t> coords)
      : extent_(std::move(extent)), coords_(std::move(coords)) {}
  static Point unchecked(const Extent& extent, Rank rank) { return Point(extent, extent.coords_of(rank)); }

  Extent extent_;
  std::vector<std::uint64_t> coords_;
};

inline auto Extent::points() const& {
  return IndexedRange(num_ranks_, [this](Rank rank) { return Point::unchecked(*this, rank); });
}

std::ostream& operator<<(std::ostream& out, const Extent& extent);
std::ostream& operator<<(std::ostream& out, const Point& point);

}  // namespace hostmesh
