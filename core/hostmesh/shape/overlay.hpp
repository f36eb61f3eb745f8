// ValueOverlay: news about some ranks, to be laid over a mesh of values.
//
// Hosts answer with one of these for the ranks they know; replies are merged on the way and applied at the
// end. Where two disagree, the one merged later wins, so merging commutes only for disjoint ranks. A value;
// not synchronised.
#pragma once

#include <utility>
#include <vector>

#include "hostmesh/shape/runs.hpp"
#include "hostmesh/shape/value_mesh.hpp"

namespace hostmesh {

template <class T>
class ValueOverlay {
 public:
  ValueOverlay() = default;
  // In any order. An empty run, or two that share a rank, is an error.
  static Result<ValueOverlay> from_runs(std::vector<Run<T>> runs) {
    auto together = Runs<T>::from_disjoint(std::move(runs));
    if (!together) return together.error();
    ValueOverlay overlay;
    overlay.runs_ = *std::move(together);
    return overlay;
  }

  // Adds news about ranks that this says nothing about yet; an empty interval, or one that overlaps what is
  // here, is an error and changes nothing.
  Result<> push_run(Rank begin, Rank end, T value) { return runs_.insert(begin, end, std::move(value)); }
  // What `later` says wins. Logarithmic for each of its runs.
  void merge(const ValueOverlay& later) { runs_.merge(later.runs_); }

  // Lays this over `mesh`. When it speaks of ranks that the mesh has not, that is an error and nothing is
  // changed.
  Result<> apply_to(ValueMesh<T>& mesh) const { return mesh.assign(runs_); }

  bool empty() const { return runs_.empty(); }
  const Runs<T>& runs() const { return runs_; }

  bool operator==(const ValueOverlay&) const = default;

 private:
  Runs<T> runs_;
};

}  // namespace hostmesh
