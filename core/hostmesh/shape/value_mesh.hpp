// ValueMesh: exactly one value for each rank of a region.
//
// It answers "what is the state of everybody", for anything from one rank to tens of thousands, so it is kept
// either dense or as runs, whichever is smaller for what it was made from; nothing but memory and speed tells
// them apart. A value; not synchronised.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "hostmesh/base/result.hpp"
#include "hostmesh/shape/runs.hpp"
#include "hostmesh/shape/view.hpp"

namespace hostmesh {

namespace detail {

// std::equality_comparable, except for Result: what it derives from declares an operator== for everything,
// which does not compile for it.
template <class T>
struct IsComparable : std::bool_constant<std::equality_comparable<T>> {};
template <class T>
struct IsComparable<Result<T>> : std::false_type {};
template <class T>
inline constexpr bool kIsComparable = IsComparable<T>::value;

}  // namespace detail

template <class T>
class ValueMesh : public View<ValueMesh<T>> {
 public:
  // One rank, the default value.
  ValueMesh() : ValueMesh(from_single(Region(), T{})) {}

  static ValueMesh from_single(Region region, T value) {
    ValueMesh mesh(std::move(region));
    const std::uint64_t count = mesh.region_.num_ranks();
    if constexpr (detail::kIsComparable<T>) {
      Runs<T> runs;
      runs.assign(0, count, std::move(value));
      mesh.values_ = std::move(runs);
    } else {
      mesh.values_ = Dense(count, Cell{std::move(value)});
    }
    return mesh;
  }
  static ValueMesh from_default(Region region) { return from_single(std::move(region), T{}); }

  // One value for each rank, in rank order; any other number is an error.
  static Result<ValueMesh> from_dense(Region region, std::vector<T> values) {
    if (values.size() != region.num_ranks()) return wrong_count(region.num_ranks(), values.size());
    ValueMesh mesh(std::move(region));
    Dense cells;
    cells.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) cells.push_back(Cell{T(std::move(values[i]))});
    mesh.store(std::move(cells));
    return mesh;
  }

  // `runs` in any order over `fallback`. Empty, overlapping and out-of-range runs are errors.
  static Result<ValueMesh> from_ranges_with_default(
      Region region, T fallback, std::vector<Run<T>> runs) requires(detail::kIsComparable<T>) {
    const auto given = Runs<T>::from_disjoint(std::move(runs));
    if (!given) return given.error();
    ValueMesh mesh = from_single(std::move(region), std::move(fallback));
    if (auto done = mesh.assign(*given); !done) return done.error();
    return mesh;
  }

  // Values that arrive with their rank, in any order; of several for one rank the last counts. A rank that is
  // out of range or missing is an error that names it.
  static Result<ValueMesh> from_indexed(Region region, std::vector<std::pair<Rank, T>> values) {
    const std::uint64_t count = region.num_ranks();
    std::uint64_t missing = count;
    // Checked first, so that a mesh that was never going to be complete allocates nothing for its absent
    // ranks.
    if (values.size() < count) return wrong_count(count, values.size());
    std::vector<std::optional<T>> slots(count);
    for (auto& [rank, value] : values) {
      if (rank >= count) {
        return Error(Cause::kInvalidArgument, "out of range: total ranks " + std::to_string(count) +
                                                  "; does not contain rank " + std::to_string(rank));
      }
      if (!slots[rank]) --missing;
      slots[rank] = std::move(value);
    }
    if (missing > 0) return wrong_count(count, count - missing);
    ValueMesh mesh(std::move(region));
    Dense cells;
    cells.reserve(count);
    for (auto& slot : slots) cells.push_back(Cell{*std::move(slot)});
    mesh.store(std::move(cells));
    return mesh;
  }

  const Region& region() const { return region_; }
  // The rank must be below num_ranks().
  const T& get(Rank rank) const {
    HOSTMESH_ASSERT(rank < region_.num_ranks(), "a rank that is not in the mesh");
    if constexpr (detail::kIsComparable<T>) {
      if (const auto* runs = std::get_if<Runs<T>>(&values_)) return *runs->find(rank);
    }
    return std::get<Dense>(values_)[rank].value;
  }
  ValueMesh pick(Region region, const std::vector<Rank>& ranks) const {
    ValueMesh mesh(std::move(region));
    Dense cells;
    cells.reserve(ranks.size());
    for (const Rank rank : ranks) cells.push_back(Cell{get(rank)});
    mesh.store(std::move(cells));
    return mesh;
  }

  // `value` for the ranks [begin, end); an interval that is empty or out of range is an error and changes
  // nothing.
  Result<> assign(Rank begin, Rank end, T value) {
    if (begin >= end) return Error(Cause::kInvalidArgument, "empty range " + interval_text(begin, end));
    if (end > region_.num_ranks()) return out_of_bounds(begin, end);
    if constexpr (detail::kIsComparable<T>) {
      if (auto* runs = std::get_if<Runs<T>>(&values_)) {
        runs->assign(begin, end, std::move(value));
        return {};
      }
    }
    auto& dense = std::get<Dense>(values_);
    for (Rank rank = begin; rank < end; ++rank) dense[rank].value = value;
    return {};
  }

  // All of `news`, over what is here; when some of it is out of range that is an error and changes nothing.
  Result<> assign(const Runs<T>& news) requires(detail::kIsComparable<T>) {
    if (news.end_rank() > region_.num_ranks()) {
      const auto [begin, end] = news.first_ending_after(region_.num_ranks());
      return out_of_bounds(begin, end);
    }
    for (const auto& piece : news.pieces()) {
      if (auto done = assign(piece.begin, piece.end, piece.value); !done) return done;
    }
    return {};
  }

  // The same mesh as runs, coalesced, whatever the representation.
  Runs<T> runs() const requires(detail::kIsComparable<T>) {
    if (const auto* runs = std::get_if<Runs<T>>(&values_)) return *runs;
    return compress(std::get<Dense>(values_));
  }
  bool is_dense() const { return std::holds_alternative<Dense>(values_); }

  // The first rank whose value satisfies `predicate`; looks once at each run.
  template <class Predicate>
  std::optional<Rank> first_where(Predicate predicate) const {
    if constexpr (detail::kIsComparable<T>) {
      if (const auto* runs = std::get_if<Runs<T>>(&values_)) {
        for (const auto& piece : runs->pieces()) {
          if (predicate(piece.value)) return piece.begin;
        }
        return std::nullopt;
      }
    }
    const auto& dense = std::get<Dense>(values_);
    for (Rank rank = 0; rank < dense.size(); ++rank) {
      if (predicate(dense[rank].value)) return rank;
    }
    return std::nullopt;
  }
  // True when every rank's value does.
  template <class Predicate>
  bool all_of(Predicate predicate) const {
    return !first_where([&](const T& value) { return !predicate(value); });
  }

  // Of regions and values; representations do not count.
  bool operator==(const ValueMesh& other) const requires(detail::kIsComparable<T>) {
    return region_ == other.region_ && runs() == other.runs();
  }

 private:
  // In a struct, so that bool has addressable elements too.
  struct Cell {
    T value;
  };
  using Dense = std::vector<Cell>;
  // Runs cost a tree node each; below this many ranks per run the plain array is smaller and faster.
  static constexpr std::size_t kWorthRuns = 8;

  explicit ValueMesh(Region region) : region_(std::move(region)) {}

  static Runs<T> compress(const Dense& cells) {
    Runs<T> runs;
    for (std::size_t begin = 0, end = 0; begin < cells.size(); begin = end) {
      while (end < cells.size() && cells[end].value == cells[begin].value) ++end;
      if (end == begin) ++end;  // a value that does not equal itself
      runs.assign(begin, end, cells[begin].value);
    }
    return runs;
  }

  void store(Dense cells) {
    if constexpr (detail::kIsComparable<T>) {
      std::size_t runs = 1;
      for (std::size_t i = 1; i < cells.size(); ++i) runs += cells[i].value == cells[i - 1].value ? 0 : 1;
      if (runs * kWorthRuns <= cells.size()) {
        values_ = compress(cells);
        return;
      }
    }
    values_ = std::move(cells);
  }

  static Error wrong_count(std::uint64_t expected, std::uint64_t actual) {
    return Error(Cause::kInvalidArgument, "a mesh of " + std::to_string(expected) +
                                              " ranks needs a value for each, got " + std::to_string(actual));
  }
  Error out_of_bounds(Rank begin, Rank end) const {
    return Error(Cause::kInvalidArgument, "range " + interval_text(begin, end) +
                                              " is out of bounds: the mesh has " +
                                              std::to_string(region_.num_ranks()) + " ranks");
  }
  struct Nothing {};
  Region region_;
  std::variant<Dense, std::conditional_t<detail::kIsComparable<T>, Runs<T>, Nothing>> values_;
};

// f of each value, over the region of `mesh`, which may be any View. Called once for each rank, in order.
template <class Mesh, class F>
auto map_values(const Mesh& mesh, F f) {
  using U = std::decay_t<std::invoke_result_t<F&, decltype(mesh.get(Rank{0}))>>;
  std::vector<U> values;
  values.reserve(mesh.num_ranks());
  for (Rank rank = 0; rank < mesh.num_ranks(); ++rank) values.push_back(f(mesh.get(rank)));
  return value_or_throw(ValueMesh<U>::from_dense(mesh.region(), std::move(values)));
}

// All the values, or the first error, which then tells its rank.
template <class T>
Result<ValueMesh<T>> transpose(const ValueMesh<Result<T>>& mesh) {
  std::vector<T> values;
  values.reserve(mesh.num_ranks());
  for (Rank rank = 0; rank < mesh.num_ranks(); ++rank) {
    const Result<T>& value = mesh.get(rank);
    if (!value) return value.error().with_rank(rank);
    values.push_back(*value);
  }
  return ValueMesh<T>::from_dense(mesh.region(), std::move(values));
}

}  // namespace hostmesh
