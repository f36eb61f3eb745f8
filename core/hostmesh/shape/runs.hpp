// Runs: values for intervals of ranks, the compact form of "everybody is Running but rank 7".
//
// Always sorted, not overlapping, and coalesced: neighbours that touch and are equal are one run. assign()
// replaces whatever was there, clear() forgets it, and everything else is built on those two, so that the
// invariant has one place to be kept. The runs live in an ordered tree, because thousands of small reports
// are merged into one of these, in any order. A value; not synchronised.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/result.hpp"

namespace hostmesh {

// `value` for each rank in [begin, end). The form in which runs travel.
template <class T>
struct Run {
  Rank begin = 0;
  Rank end = 0;
  T value{};

  bool operator==(const Run&) const = default;
};

// "0..4".
inline std::string interval_text(Rank begin, Rank end) {
  return std::to_string(begin) + ".." + std::to_string(end);
}

template <class T>
class Runs {
  struct Stretch {
    Rank end;
    T value;
    bool operator==(const Stretch&) const = default;
  };
  using Pieces = std::map<Rank, Stretch>;

 public:
  // What iteration gives: a run whose value is not copied.
  struct Piece {
    Rank begin;
    Rank end;
    const T& value;
  };

  class PieceRange {
   public:
    class Iterator {
     public:
      using iterator_category = std::input_iterator_tag;
      using reference = Piece;
      using value_type = Piece;
      using difference_type = std::ptrdiff_t;
      using pointer = void;

      Piece operator*() const { return Piece{at_->first, at_->second.end, at_->second.value}; }
      Iterator& operator++() {
        ++at_;
        return *this;
      }
      bool operator==(const Iterator&) const = default;

     private:
      friend class PieceRange;
      explicit Iterator(typename Pieces::const_iterator at) : at_(at) {}
      typename Pieces::const_iterator at_;
    };

    Iterator begin() const { return Iterator(pieces_->begin()); }
    Iterator end() const { return Iterator(pieces_->end()); }

   private:
    friend class Runs;
    explicit PieceRange(const Pieces& pieces) : pieces_(&pieces) {}
    const Pieces* pieces_;
  };

  Runs() = default;
  // In any order. An empty run, or two that share a rank, is an error.
  static Result<Runs> from_disjoint(std::vector<Run<T>> list) {
    Runs runs;
    for (Run<T>& run : list) {
      if (auto done = runs.insert(run.begin, run.end, std::move(run.value)); !done) return done.error();
    }
    return runs;
  }

  // assign() where nothing is yet; an empty interval, or one that overlaps a run, is an error and changes
  // nothing.
  Result<> insert(Rank begin, Rank end, T value) {
    if (begin >= end) return Error(Cause::kInvalidArgument, "empty range " + interval_text(begin, end));
    const auto present = first_ending_after(begin);
    if (present.first < present.second && present.first < end) {
      const auto [first, second] = std::minmax<std::pair<Rank, Rank>>({present, {begin, end}});
      return Error(Cause::kInvalidArgument, "overlapping ranges " + interval_text(first.first, first.second) +
                                                " and " + interval_text(second.first, second.second));
    }
    assign(begin, end, std::move(value));
    return {};
  }

  // `value` for [begin, end), whatever was there before; nothing when that is empty. Amortised logarithmic.
  void assign(Rank begin, Rank end, T value) {
    if (begin >= end) return;
    clear(begin, end);
    covered_ += end - begin;
    auto next = pieces_.lower_bound(begin);
    if (next != pieces_.end() && next->first == end && next->second.value == value) {
      end = next->second.end;
      next = pieces_.erase(next);
    }
    if (next != pieces_.begin()) {
      const auto before = std::prev(next);
      if (before->second.end == begin && before->second.value == value) {
        before->second.end = end;
        return;
      }
    }
    pieces_.emplace_hint(next, begin, Stretch{end, std::move(value)});
  }

  // Forgets what is in [begin, end).
  void clear(Rank begin, Rank end) {
    if (begin >= end) return;
    auto at = pieces_.upper_bound(begin);
    if (at != pieces_.begin() && std::prev(at)->second.end > begin) at = cut_front(std::prev(at), begin, end);
    while (at != pieces_.end() && at->first < end) {
      if (at->second.end > end) {
        covered_ -= end - at->first;
        move_begin(at, end);
        break;
      }
      covered_ -= at->second.end - at->first;
      at = pieces_.erase(at);
    }
  }

  // What `other` holds replaces what is here; the rest stays.
  void merge(const Runs& other) {
    if (this == &other) return;
    for (const auto& [begin, stretch] : other.pieces_) assign(begin, stretch.end, stretch.value);
  }

  // Null where there is no value.
  const T* find(Rank rank) const {
    const auto after = pieces_.upper_bound(rank);
    if (after == pieces_.begin()) return nullptr;
    const auto& stretch = std::prev(after)->second;
    return rank < stretch.end ? &stretch.value : nullptr;
  }
  // The first run that ends after `rank`, as a copy of its bounds; begin == end when there is none.
  std::pair<Rank, Rank> first_ending_after(Rank rank) const {
    auto at = pieces_.upper_bound(rank);
    if (at != pieces_.begin() && std::prev(at)->second.end > rank) --at;
    if (at == pieces_.end()) return {0, 0};
    return {at->first, at->second.end};
  }

  bool empty() const { return pieces_.empty(); }
  // Number of runs.
  std::size_t size() const { return pieces_.size(); }
  // Number of ranks that have a value.
  std::uint64_t covered() const { return covered_; }
  // One past the last rank that has a value; 0 when none has.
  Rank end_rank() const { return pieces_.empty() ? 0 : std::prev(pieces_.end())->second.end; }

  // The runs in order; valid until the next change.
  PieceRange pieces() const& { return PieceRange(pieces_); }
  void pieces() const&& = delete;
  std::vector<Run<T>> to_vector() const {
    std::vector<Run<T>> runs;
    runs.reserve(pieces_.size());
    for (const auto& [begin, stretch] : pieces_) runs.push_back(Run<T>{begin, stretch.end, stretch.value});
    return runs;
  }

  bool operator==(const Runs&) const = default;

 private:
  // Removes [begin, end) from a run that begins at or before `begin` and reaches into it; returns the run
  // after it.
  typename Pieces::iterator cut_front(typename Pieces::iterator at, Rank begin, Rank end) {
    const auto next = std::next(at);
    const Rank old_end = at->second.end;
    covered_ -= std::min(old_end, end) - begin;
    if (old_end > end) {
      if (at->first == begin) {
        move_begin(at, end);
        return next;
      }
      pieces_.emplace_hint(next, end, Stretch{old_end, at->second.value});
    }
    if (at->first == begin) {
      pieces_.erase(at);
    } else {
      at->second.end = begin;
    }
    return next;
  }

  void move_begin(typename Pieces::iterator at, Rank begin) {
    const auto next = std::next(at);
    auto node = pieces_.extract(at);
    node.key() = begin;
    pieces_.insert(next, std::move(node));
  }

  Pieces pieces_;
  std::uint64_t covered_ = 0;
};

}  // namespace hostmesh
