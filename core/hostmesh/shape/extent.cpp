#include "hostmesh/shape/extent.hpp"

#include <algorithm>
#include <ostream>
#include <unordered_set>

#include "hostmesh/shape/scanner.hpp"

namespace hostmesh {

namespace {

Error invalid(std::string message) {
  return Error(Cause::kInvalidArgument, std::move(message));
}

Error dimension_mismatch(std::size_t expected, std::size_t actual) {
  return invalid("dimension mismatch: expected " + std::to_string(expected) + ", got " +
                 std::to_string(actual));
}

}  // namespace

Result<Extent> Extent::make(std::vector<std::string> labels, std::vector<std::uint64_t> sizes) {
  if (labels.size() != sizes.size()) return dimension_mismatch(labels.size(), sizes.size());
  std::unordered_set<std::string_view> seen;
  for (const std::string& label : labels) {
    if (label.empty()) return invalid("an extent has a dimension with an empty label");
    if (!seen.insert(label).second)
      return invalid("an extent has two dimensions labelled " + label_text(label));
  }
  std::uint64_t product = 1;
  for (const std::uint64_t size : sizes) {
    if (__builtin_mul_overflow(product, std::max<std::uint64_t>(size, 1), &product)) {
      return invalid("an extent has more ranks than fit 64 bits");
    }
  }
  Extent extent;
  extent.num_ranks_ = std::ranges::find(sizes, 0U) == sizes.end() ? product : 0;
  extent.labels_ = std::move(labels);
  extent.sizes_ = std::move(sizes);
  return extent;
}

Extent::Extent(std::initializer_list<std::pair<std::string_view, std::uint64_t>> dimensions) {
  std::vector<std::string> labels;
  std::vector<std::uint64_t> sizes;
  for (const auto& [label, size] : dimensions) {
    labels.emplace_back(label);
    sizes.push_back(size);
  }
  *this = value_or_throw(make(std::move(labels), std::move(sizes)));
}

namespace {

// LABEL <between> SIZE { , LABEL <between> SIZE }
Result<Extent> scan_dimensions(Scanner& scanner, char between) {
  std::vector<std::string> labels;
  std::vector<std::uint64_t> sizes;
  do {
    auto label = scanner.label();
    if (!label) return label.error();
    if (auto found = scanner.expect(between); !found) return found.error();
    const auto size = scanner.number();
    if (!size) return size.error();
    labels.push_back(*std::move(label));
    sizes.push_back(*size);
  } while (scanner.accept(','));
  return Extent::make(std::move(labels), std::move(sizes));
}

}  // namespace

Result<Extent> Extent::parse(std::string_view text) {
  Scanner scanner("an extent", text);
  if (auto found = scanner.expect('{'); !found) return found.error();
  if (scanner.accept('}')) {
    if (auto end = scanner.expect_end(); !end) return end.error();
    return Extent();
  }
  auto extent = scan_dimensions(scanner, ':');
  if (!extent) return extent;
  if (auto found = scanner.expect('}'); !found) return found.error();
  if (auto end = scanner.expect_end(); !end) return end.error();
  return extent;
}

Result<Extent> Extent::parse_arguments(std::string_view text) {
  Scanner scanner("an extent such as hosts=2,gpus=4", text);
  auto extent = scan_dimensions(scanner, '=');
  if (!extent) return extent;
  if (auto end = scanner.expect_end(); !end) return end.error();
  return extent;
}

std::optional<std::size_t> Extent::position(std::string_view label) const {
  const auto found = std::ranges::find(labels_, label);
  if (found == labels_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - labels_.begin());
}

std::optional<std::uint64_t> Extent::size(std::string_view label) const {
  const auto dimension = position(label);
  if (!dimension) return std::nullopt;
  return sizes_[*dimension];
}

Result<Point> Extent::point(std::vector<std::uint64_t> coords) const {
  if (auto rank = rank_of_coords(coords); !rank) return rank.error();
  return Point(*this, std::move(coords));
}

Result<Point> Extent::point_of_rank(Rank rank) const {
  if (rank >= num_ranks_) {
    return invalid("out of range: total ranks " + std::to_string(num_ranks_) + "; does not contain rank " +
                   std::to_string(rank));
  }
  return Point::unchecked(*this, rank);
}

Result<Rank> Extent::rank_of_coords(std::span<const std::uint64_t> coords) const {
  if (coords.size() != dims()) return dimension_mismatch(dims(), coords.size());
  Rank rank = 0;
  for (std::size_t i = 0; i < dims(); ++i) {
    if (coords[i] >= sizes_[i]) {
      return invalid("out of range: dim size " + std::to_string(sizes_[i]) + "; does not contain index " +
                     std::to_string(coords[i]));
    }
    rank = rank * sizes_[i] + coords[i];
  }
  return rank;
}

std::vector<std::uint64_t> Extent::coords_of(Rank rank) const {
  std::vector<std::uint64_t> coords(dims());
  for (std::size_t i = dims(); i-- > 0;) {
    coords[i] = rank % sizes_[i];
    rank /= sizes_[i];
  }
  return coords;
}

Result<Extent> Extent::concat(const Extent& inner) const {
  for (const std::string& label : inner.labels_) {
    if (position(label)) return invalid("overlapping label found: " + label);
  }
  std::vector<std::string> labels = labels_;
  std::vector<std::uint64_t> sizes = sizes_;
  labels.insert(labels.end(), inner.labels_.begin(), inner.labels_.end());
  sizes.insert(sizes.end(), inner.sizes_.begin(), inner.sizes_.end());
  return make(std::move(labels), std::move(sizes));
}

std::string Extent::text() const {
  std::string text = "{";
  for (std::size_t i = 0; i < dims(); ++i) {
    if (i > 0) text += ", ";
    text += label_text(labels_[i]) + ": " + std::to_string(sizes_[i]);
  }
  return text + "}";
}

Result<Point> Point::parse(std::string_view text) {
  Scanner scanner("a point", text);
  if (scanner.at_end()) return Point();
  std::vector<std::string> labels;
  std::vector<std::uint64_t> coords;
  std::vector<std::uint64_t> sizes;
  do {
    auto label = scanner.label();
    if (!label) return label.error();
    if (auto found = scanner.expect('='); !found) return found.error();
    const auto coord = scanner.number();
    if (!coord) return coord.error();
    if (auto found = scanner.expect('/'); !found) return found.error();
    const auto size = scanner.number();
    if (!size) return size.error();
    labels.push_back(*std::move(label));
    coords.push_back(*coord);
    sizes.push_back(*size);
  } while (scanner.accept(','));
  if (auto end = scanner.expect_end(); !end) return end.error();
  auto extent = Extent::make(std::move(labels), std::move(sizes));
  if (!extent) return extent.error();
  return extent->point(std::move(coords));
}

std::optional<std::uint64_t> Point::coord(std::string_view label) const {
  const auto dimension = extent_.position(label);
  if (!dimension) return std::nullopt;
  return coords_[*dimension];
}

Rank Point::rank() const {
  return *extent_.rank_of_coords(coords_);
}

std::string Point::text() const {
  std::string text;
  for (std::size_t i = 0; i < coords_.size(); ++i) {
    if (i > 0) text += ',';
    text += label_text(extent_.labels()[i]) + "=" + std::to_string(coords_[i]) + "/" +
            std::to_string(extent_.sizes()[i]);
  }
  return text;
}

std::string Point::dictionary_text() const {
  std::string text = "{";
  for (std::size_t i = 0; i < coords_.size(); ++i) {
    text += i > 0 ? ", '" : "'";
    for (const char c : extent_.labels()[i]) {
      if (c == '\'' || c == '\\') text += '\\';
      text += c;
    }
    text += "': " + std::to_string(coords_[i]) + "/" + std::to_string(extent_.sizes()[i]);
  }
  return text + "}";
}

std::ostream& operator<<(std::ostream& out, const Extent& extent) {
  return out << extent.text();
}
std::ostream& operator<<(std::ostream& out, const Point& point) {
  return out << point.text();
}

}  // namespace hostmesh
