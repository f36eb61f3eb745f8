// AllocSpec: what is asked of an allocator. A plain value.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "hostmesh/base/config.hpp"
#include "hostmesh/channel/addr.hpp"
#include "hostmesh/shape/extent.hpp"

namespace hostmesh {

// What happens when a proc ends that nobody stopped. The default is nothing: its rank stays empty.
struct RespawnPolicy {
  std::uint32_t max_restarts = 0;                     // for each rank, over the allocation's life
  Duration backoff = std::chrono::milliseconds(100);  // before the first restart; doubles, up to 30 s
  bool operator==(const RespawnPolicy&) const = default;
};

// How long each phase of a child may take. A phase that lasts longer ends the child, and its reason says
// which it was.
struct ChildTiming {
  Duration launch{};     // asked for until its process exists
  Duration hello{};      // its process exists until it says Hello
  Duration start{};      // StartProc until StartedProc
  Duration heartbeat{};  // silence while running; zero turns the check off
  Duration exit{};       // told to stop, or its connection is gone, until TERM
  Duration kill{};       // TERM until KILL, and KILL until it is given up

  static ChildTiming from(const Config& config);
  bool operator==(const ChildTiming&) const = default;
};

struct AllocSpec {
  Extent extent{};                                   // at least one rank
  std::map<std::string, std::string> constraints{};  // free-form labels for the allocator
  // Set: each proc is `address,name`. Unset: `alloc[rank]`, from the allocation's uuid.
  std::optional<std::string> proc_name{};
  // How the procs are reached. An allocator whose procs live inside this process always uses kLocal.
  Transport transport = Transport::kUnix;
  std::optional<ChildTiming> timing{};  // unset: from the configuration
  RespawnPolicy respawn{};
};

// More ranks than this are a mistake of whoever asks: no table here would fit them.
inline constexpr std::uint64_t kMostRanks = 1 << 20;
// An error that says so when there are none, or more than that.
Result<> validate_ranks(const Extent& extent, std::string_view of_what);

// An extent without ranks or a name that is not an identifier is an error.
Result<> validate(const AllocSpec& spec);

}  // namespace hostmesh
