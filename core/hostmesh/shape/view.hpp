// View: what every mesh can do with its region: cut it, group it, walk it.
//
// A mesh of hosts, procs, actors or values is a region and something for each of its ranks. It derives from
// View<Mesh> and provides
//   const Region& region() const;
//   const T& get(Rank rank) const;                                         // rank < region().num_ranks()
//   Mesh pick(Region region, const std::vector<Rank>& ranks) const;        // a mesh of get(ranks[0]),
//   get(ranks[1]), ...
// and gets range, subset, sliced, group_by and iteration. Views hold no state and no threads' rules of their
// own.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "hostmesh/shape/indexed_range.hpp"
#include "hostmesh/shape/region.hpp"

namespace hostmesh {

template <class Mesh>
class View {
 public:
  const Extent& extent() const { return self().region().extent(); }
  std::uint64_t num_ranks() const { return self().region().num_ranks(); }

  // As Region::range; the dimension stays, the region keeps its base ranks.
  Result<Mesh> range(std::string_view label, Range range) const {
    return cut(self().region().range(label, range));
  }
  Result<Mesh> range(std::string_view label, std::uint64_t index) const {
    return this->range(label, Range::single(index));
  }
  // The members that `part` names by base rank, in its order. An error when it names others too.
  Result<Mesh> subset(const Region& part) const { return cut(self().region().subset(part)); }
  // The same for a part that is known to be one; anything else is a bug of the caller's.
  Mesh sliced(const Region& part) const {
    const auto ranks = self().region().remap(part);
    HOSTMESH_ASSERT(ranks.has_value(), "sliced by a region that is not a subset");
    return self().pick(part, *ranks);
  }
  Result<std::vector<Mesh>> group_by(std::string_view label) const {
    const auto parts = self().region().group_by(label);
    if (!parts) return parts.error();
    std::vector<Mesh> groups;
    groups.reserve(parts->size());
    for (const Region& part : *parts) groups.push_back(sliced(part));
    return groups;
  }

  // The members in rank order. The view must outlive what is returned.
  auto values() const& {
    return IndexedRange(num_ranks(), [this](Rank rank) -> decltype(auto) { return self().get(rank); });
  }
  void values() const&& = delete;
  // Pairs of a point of extent() and the member there, in rank order. The view must outlive what is returned.
  auto entries() const& {
    return IndexedRange(num_ranks(), [this](Rank rank) {
      return std::pair<Point, decltype(self().get(rank))>(*extent().point_of_rank(rank), self().get(rank));
    });
  }
  void entries() const&& = delete;

  bool operator==(const View&) const = default;

 private:
  const Mesh& self() const { return static_cast<const Mesh&>(*this); }
  Result<Mesh> cut(const Result<Region>& part) const {
    if (!part) return part.error();
    return sliced(*part);
  }
};

}  // namespace hostmesh
