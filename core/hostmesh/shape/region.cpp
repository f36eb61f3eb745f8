#include "hostmesh/shape/region.hpp"

#include <algorithm>
#include <limits>
#include <ostream>

#include "hostmesh/shape/scanner.hpp"

namespace hostmesh {

namespace {

Error invalid(std::string message) {
  return Error(Cause::kInvalidArgument, std::move(message));
}

bool same_labels(const Region& a, const Region& b) {
  if (a.labels() == b.labels()) return true;
  if (a.labels().size() != b.labels().size()) return false;
  std::vector<std::string> sorted_a = a.labels();
  std::vector<std::string> sorted_b = b.labels();
  std::ranges::sort(sorted_a);
  std::ranges::sort(sorted_b);
  return sorted_a == sorted_b;
}

}  // namespace

Range Range::single(std::uint64_t index) {
  // The largest index is in no dimension; without an end the range is still empty there, as it should be.
  if (index == std::numeric_limits<std::uint64_t>::max()) return from(index);
  return Range{.begin = index, .end = index + 1};
}

std::string Range::text() const {
  std::string text = (begin != 0 || end ? std::to_string(begin) : "") + "..";
  if (end) text += std::to_string(*end);
  if (step != 1) text += " step " + std::to_string(step);
  return text;
}

Region::Region(const Extent& extent)
    : extent_(extent), slice_(value_or_throw(Slice::row_major(extent.sizes()))) {}

Result<Region> Region::make(std::vector<std::string> labels, Slice slice) {
  auto extent = Extent::make(std::move(labels), slice.sizes());
  if (!extent) return extent.error();
  return Region(*std::move(extent), std::move(slice));
}

Result<Region> Region::parse(std::string_view text) {
  Scanner scanner("a region", text);
  const Rank offset = scanner.number_before('+').value_or(0);
  std::vector<std::string> labels;
  std::vector<std::uint64_t> sizes;
  std::vector<std::uint64_t> strides;
  if (!scanner.at_end()) {
    do {
      auto label = scanner.label();
      if (!label) return label.error();
      if (auto found = scanner.expect('='); !found) return found.error();
      const auto size = scanner.number();
      if (!size) return size.error();
      if (auto found = scanner.expect('/'); !found) return found.error();
      const auto stride = scanner.number();
      if (!stride) return stride.error();
      labels.push_back(*std::move(label));
      sizes.push_back(*size);
      strides.push_back(*stride);
    } while (scanner.accept(','));
    if (auto end = scanner.expect_end(); !end) return end.error();
  }
  auto slice = Slice::make(offset, std::move(sizes), std::move(strides));
  if (!slice) return slice.error();
  return make(std::move(labels), *std::move(slice));
}

Result<std::size_t> Region::dimension(std::string_view label) const {
  if (const auto found = extent_.position(label)) return *found;
  std::string known;
  for (const std::string& each : labels()) known += (known.empty() ? "" : ", ") + label_text(each);
  return invalid("no dimension is labelled " + label_text(label) + "; there " +
                 (known.empty() ? "are none" : "is " + known));
}

Region Region::part(Rank offset, std::vector<std::uint64_t> sizes, std::vector<std::uint64_t> strides) const {
  auto slice = Slice::make(offset, std::move(sizes), std::move(strides));
  HOSTMESH_ASSERT(slice.has_value(), "a part of a slice is always a slice");
  auto region = make(labels(), *std::move(slice));
  HOSTMESH_ASSERT(region.has_value(), "a part has the labels of the whole");
  return *std::move(region);
}

Result<Region> Region::range(std::string_view label, Range range) const {
  const auto found = dimension(label);
  if (!found) return found.error();
  const std::size_t i = *found;
  std::vector<std::uint64_t> sizes = slice_.sizes();
  std::vector<std::uint64_t> strides = slice_.strides();
  if (range.step == 0)
    return invalid("range " + range.text() + " of dimension " + label_text(label) + " has a step of 0");
  const std::uint64_t end = std::min(range.end.value_or(sizes[i]), sizes[i]);
  if (range.begin >= end) {
    return invalid("empty range: " + range.text() + " selects nothing of dimension " + label_text(label) +
                   " of size " + std::to_string(sizes[i]));
  }
  const Rank offset = slice_.offset() + (num_ranks() == 0 ? 0 : range.begin * strides[i]);
  sizes[i] = (end - range.begin - 1) / range.step + 1;
  // A single index has no use for a stride, and an enormous step would not fit one.
  if (sizes[i] > 1) strides[i] *= range.step;
  return part(offset, std::move(sizes), std::move(strides));
}

Result<Region> Region::subset(const Region& part) const {
  if (part.is_subset_of(*this)) return part;
  return invalid("region " + part.text() + " is not a subset of " + text());
}

Result<std::vector<Region>> Region::group_by(std::string_view label) const {
  const auto found = dimension(label);
  if (!found) return found.error();
  std::vector<std::uint64_t> sizes = slice_.sizes();
  const auto inner = sizes.begin() + static_cast<std::ptrdiff_t>(*found);
  std::vector<std::uint64_t> outer_sizes(sizes.begin(), inner);
  const auto& strides = slice_.strides();
  const auto outer = Slice::make(slice_.offset(), std::move(outer_sizes),
                                 {strides.begin(), strides.begin() + static_cast<std::ptrdiff_t>(*found)});
  HOSTMESH_ASSERT(outer.has_value(), "some dimensions of a slice are a slice");
  std::fill(sizes.begin(), inner, 1);
  std::vector<Region> groups;
  for (const Rank offset : *outer) groups.push_back(part(offset, sizes, strides));
  return groups;
}

bool Region::is_subset_of(const Region& whole) const {
  if (!same_labels(*this, whole) || num_ranks() > whole.num_ranks()) return false;
  if (slice_ == whole.slice_) return true;
  return std::ranges::all_of(slice_.begin(), slice_.end(),
                             [&](Rank rank) { return whole.slice_.contains(rank); });
}

std::optional<std::vector<Rank>> Region::remap(const Region& part) const {
  if (!same_labels(part, *this) || part.num_ranks() > num_ranks()) return std::nullopt;
  std::vector<Rank> indices;
  for (const Rank base_rank : part.slice_) {
    const auto index = slice_.index(base_rank);
    if (!index) return std::nullopt;
    indices.push_back(*index);
  }
  return indices;
}

Result<Rank> Region::base_rank_of_point(const Point& point) const {
  if (point.extent() != extent_) {
    return invalid("point '" + point.text() + "' is not of extent " + extent_.text());
  }
  return slice_.location(point.coords());
}

Result<Point> Region::point_of_base_rank(Rank base_rank) const {
  auto coords = slice_.coordinates(base_rank);
  if (!coords) {
    return invalid("out of range: region " + text() + " does not contain base rank " +
                   std::to_string(base_rank));
  }
  return extent_.point(*std::move(coords));
}

std::string Region::text() const {
  std::string text = slice_.offset() == 0 ? "" : std::to_string(slice_.offset()) + "+";
  for (std::size_t i = 0; i < labels().size(); ++i) {
    if (i > 0) text += ',';
    text += label_text(labels()[i]) + "=" + std::to_string(slice_.sizes()[i]) + "/" +
            std::to_string(slice_.strides()[i]);
  }
  return text;
}

std::ostream& operator<<(std::ostream& out, const Range& range) {
  return out << range.text();
}
std::ostream& operator<<(std::ostream& out, const Region& region) {
  return out << region.text();
}

}  // namespace hostmesh
