// Slice: which ranks, and in which order, without labels.
//
// A slice is offset, sizes and strides; walking its indices with the last dimension fastest gives the ranks
// offset + sum(index * stride). Every slice names each of its ranks exactly once, so both directions are
// computed, never searched. An immutable value.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <vector>

#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/result.hpp"

namespace hostmesh {

class Slice {
 public:
  class Iterator;

  // No dimension: the rank 0 alone.
  Slice() = default;
  // As many sizes as strides. A size may be 0, a stride may not. Each stride must be larger than what all
  // dimensions with smaller strides can reach together (dimensions of size 1 reach nothing), so that no rank
  // comes twice. The number of ranks and the last rank must fit 64 bits. The order of the strides is free:
  // [2,2,2] by [4,32,1] is fine.
  static Result<Slice> make(Rank offset, std::vector<std::uint64_t> sizes,
                            std::vector<std::uint64_t> strides);
  // The ranks from 0, in order.
  static Result<Slice> row_major(std::vector<std::uint64_t> sizes);

  Rank offset() const { return offset_; }
  const std::vector<std::uint64_t>& sizes() const { return sizes_; }
  const std::vector<std::uint64_t>& strides() const { return strides_; }
  std::size_t dims() const { return sizes_.size(); }
  std::uint64_t num_ranks() const { return num_ranks_; }
  // True when walking gives offset, offset + 1, offset + 2 and so on.
  bool is_contiguous() const;

  // The rank that comes `index`-th, from 0, and its inverse.
  std::optional<Rank> get(std::uint64_t index) const;
  std::optional<std::uint64_t> index(Rank rank) const;
  bool contains(Rank rank) const { return index(rank).has_value(); }
  std::optional<std::vector<std::uint64_t>> coordinates(Rank rank) const;
  // The inverse of coordinates(). A wrong number of coordinates, or one beyond its size, is an error.
  Result<Rank> location(std::span<const std::uint64_t> coords) const;

  // Walking costs no division. The slice must outlive its iterators.
  Iterator begin() const;
  Iterator end() const;

  bool operator==(const Slice&) const = default;

 private:
  Rank offset_ = 0;
  std::vector<std::uint64_t> sizes_;
  std::vector<std::uint64_t> strides_;
  std::uint64_t num_ranks_ = 1;
  std::vector<std::size_t> descending_;  // the dimensions of more than one index, largest stride first
};

class Slice::Iterator {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = Rank;
  using difference_type = std::ptrdiff_t;
  using pointer = const Rank*;
  using reference = Rank;

  Iterator() = default;
  Rank operator*() const { return rank_; }
  Iterator& operator++();
  Iterator operator++(int) {
    Iterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const Iterator& other) const { return index_ == other.index_; }

 private:
  friend class Slice;
  const Slice* slice_ = nullptr;
  std::uint64_t index_ = 0;
  Rank rank_ = 0;
  std::vector<std::uint64_t> coords_;
};

}  // namespace hostmesh
