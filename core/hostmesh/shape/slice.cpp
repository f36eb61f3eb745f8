#include "hostmesh/shape/slice.hpp"

#include <algorithm>
#include <string>

namespace hostmesh {

namespace {

Error invalid(std::string message) {
  return Error(Cause::kInvalidArgument, std::move(message));
}

Error too_large() {
  return invalid("a slice has ranks that do not fit 64 bits");
}

}  // namespace

Result<Slice> Slice::make(Rank offset, std::vector<std::uint64_t> sizes, std::vector<std::uint64_t> strides) {
  if (sizes.size() != strides.size()) {
    return invalid("a slice has " + std::to_string(sizes.size()) + " sizes but " +
                   std::to_string(strides.size()) + " strides");
  }
  Slice slice;
  std::uint64_t product = 1;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (strides[i] == 0) return invalid("a slice has a stride of 0");
    if (__builtin_mul_overflow(product, std::max<std::uint64_t>(sizes[i], 1), &product)) return too_large();
    if (sizes[i] > 1) slice.descending_.push_back(i);
  }
  std::ranges::stable_sort(slice.descending_, std::ranges::greater(),
                           [&](std::size_t i) { return strides[i]; });
  std::uint64_t reach = 0;
  for (auto dimension = slice.descending_.rbegin(); dimension != slice.descending_.rend(); ++dimension) {
    const std::uint64_t stride = strides[*dimension];
    if (stride <= reach) {
      return invalid("stride " + std::to_string(stride) + " is too small: the dimensions below it reach " +
                     std::to_string(reach));
    }
    std::uint64_t own = 0;
    if (__builtin_mul_overflow(stride, sizes[*dimension] - 1, &own) ||
        __builtin_add_overflow(reach, own, &reach)) {
      return too_large();
    }
  }
  std::uint64_t last = 0;
  if (__builtin_add_overflow(offset, reach, &last)) return too_large();
  slice.offset_ = offset;
  slice.num_ranks_ = std::ranges::find(sizes, 0U) == sizes.end() ? product : 0;
  slice.sizes_ = std::move(sizes);
  slice.strides_ = std::move(strides);
  return slice;
}

Result<Slice> Slice::row_major(std::vector<std::uint64_t> sizes) {
  std::vector<std::uint64_t> strides(sizes.size());
  std::uint64_t stride = 1;
  for (std::size_t i = sizes.size(); i-- > 0;) {
    strides[i] = stride;
    if (__builtin_mul_overflow(stride, std::max<std::uint64_t>(sizes[i], 1), &stride)) return too_large();
  }
  return make(0, std::move(sizes), std::move(strides));
}

bool Slice::is_contiguous() const {
  std::uint64_t expected = 1;
  for (std::size_t i = dims(); i-- > 0;) {
    if (sizes_[i] == 0) return true;
    if (sizes_[i] > 1 && strides_[i] != expected) return false;
    expected *= sizes_[i];
  }
  return true;
}

std::optional<Rank> Slice::get(std::uint64_t index) const {
  if (index >= num_ranks_) return std::nullopt;
  Rank rank = offset_;
  for (std::size_t i = dims(); i-- > 0;) {
    rank += index % sizes_[i] * strides_[i];
    index /= sizes_[i];
  }
  return rank;
}

std::optional<std::vector<std::uint64_t>> Slice::coordinates(Rank rank) const {
  if (num_ranks_ == 0 || rank < offset_) return std::nullopt;
  std::uint64_t left = rank - offset_;
  std::vector<std::uint64_t> coords(dims());
  for (const std::size_t i : descending_) {
    coords[i] = left / strides_[i];
    if (coords[i] >= sizes_[i]) return std::nullopt;
    left %= strides_[i];
  }
  if (left != 0) return std::nullopt;
  return coords;
}

std::optional<std::uint64_t> Slice::index(Rank rank) const {
  const auto coords = coordinates(rank);
  if (!coords) return std::nullopt;
  std::uint64_t index = 0;
  for (std::size_t i = 0; i < dims(); ++i) index = index * sizes_[i] + (*coords)[i];
  return index;
}

Result<Rank> Slice::location(std::span<const std::uint64_t> coords) const {
  if (coords.size() != dims()) {
    return invalid("dimension mismatch: expected " + std::to_string(dims()) + ", got " +
                   std::to_string(coords.size()));
  }
  Rank rank = offset_;
  for (std::size_t i = 0; i < dims(); ++i) {
    if (coords[i] >= sizes_[i]) {
      return invalid("out of range: dim size " + std::to_string(sizes_[i]) + "; does not contain index " +
                     std::to_string(coords[i]));
    }
    rank += coords[i] * strides_[i];
  }
  return rank;
}

Slice::Iterator Slice::begin() const {
  Iterator iterator;
  iterator.slice_ = this;
  iterator.rank_ = offset_;
  iterator.coords_.resize(dims());
  return iterator;
}

Slice::Iterator Slice::end() const {
  Iterator iterator;
  iterator.index_ = num_ranks_;
  return iterator;
}

Slice::Iterator& Slice::Iterator::operator++() {
  ++index_;
  for (std::size_t i = coords_.size(); i-- > 0;) {
    const std::uint64_t stride = slice_->strides_[i];
    if (++coords_[i] < slice_->sizes_[i]) {
      rank_ += stride;
      break;
    }
    rank_ -= (slice_->sizes_[i] - 1) * stride;
    coords_[i] = 0;
  }
  return *this;
}

}  // namespace hostmesh
