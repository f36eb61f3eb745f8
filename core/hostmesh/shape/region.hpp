// Region: a labelled, strided part of a mesh, in the coordinates of the mesh that it was cut from.
//
// Cutting keeps base ranks (offset and strides), so a part always knows which members of the whole it holds;
// its own ranks count from 0 in its own order. An immutable value.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/shape/extent.hpp"
#include "hostmesh/shape/slice.hpp"

namespace hostmesh {

// Which indices of one dimension: begin, begin + step, ... below end. Without an end, up to the dimension's
// size.
struct Range {
  std::uint64_t begin = 0;
  std::optional<std::uint64_t> end = std::nullopt;
  std::uint64_t step = 1;

  static Range all() { return Range{}; }
  static Range from(std::uint64_t begin) { return Range{.begin = begin}; }
  static Range single(std::uint64_t index);

  // "1..3", "2..", "..", and "1..8 step 2".
  std::string text() const;
  bool operator==(const Range&) const = default;
};

class Region {
 public:
  // No dimension: one rank, with base rank 0.
  Region() = default;
  // The whole of an extent, row-major from base rank 0. Implicit: an extent is the region that is all of it.
  Region(const Extent& extent);
  // As many labels as the slice has dimensions; unique and not empty.
  static Result<Region> make(std::vector<std::string> labels, Slice slice);
  // The inverse of text().
  static Result<Region> parse(std::string_view text);

  const std::vector<std::string>& labels() const { return extent_.labels(); }
  const Slice& slice() const { return slice_; }
  const Extent& extent() const { return extent_; }
  std::uint64_t num_ranks() const { return slice_.num_ranks(); }
  // Base ranks in iteration order; slice() gives the same without storing them.
  std::vector<Rank> base_ranks() const { return {slice_.begin(), slice_.end()}; }

  // The part with `label` restricted; the dimension stays, be it with size 1. The end is clamped to the
  // dimension. An unknown label, a step of 0 and a range that selects nothing are errors.
  Result<Region> range(std::string_view label, Range range) const;
  Result<Region> range(std::string_view label, std::uint64_t index) const {
    return this->range(label, Range::single(index));
  }
  // `part` itself when it is_subset_of this, else an error.
  Result<Region> subset(const Region& part) const;
  // One region per combination of indices of the dimensions before `label`, in order, those dimensions kept
  // with size 1.
  Result<std::vector<Region>> group_by(std::string_view label) const;

  // True when `whole` has the same labels, in any order, and all our base ranks. Takes time linear in our
  // ranks unless the numbers alone decide.
  bool is_subset_of(const Region& whole) const;
  // For each base rank of `part`, in the order of `part`, its own rank here; nothing when it is not a subset.
  std::optional<std::vector<Rank>> remap(const Region& part) const;

  // Base rank of one of our points, and back. The point must be of our extent.
  Result<Rank> base_rank_of_point(const Point& point) const;
  Result<Point> point_of_base_rank(Rank base_rank) const;

  // "[offset+]label=size/stride,...": "8+x=4/1,y=5/4". An offset of 0 is left out.
  std::string text() const;

  bool operator==(const Region&) const = default;

 private:
  Region(Extent extent, Slice slice) : extent_(std::move(extent)), slice_(std::move(slice)) {}
  Result<std::size_t> dimension(std::string_view label) const;
  // With the sizes, strides and offset replaced by ones that are known to describe a part.
  Region part(Rank offset, std::vector<std::uint64_t> sizes, std::vector<std::uint64_t> strides) const;

  Extent extent_;
  Slice slice_;
};

std::ostream& operator<<(std::ostream& out, const Range& range);
std::ostream& operator<<(std::ostream& out, const Region& region);

}  // namespace hostmesh
