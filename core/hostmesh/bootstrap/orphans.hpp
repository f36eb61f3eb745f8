// Orphans: what a host that died left behind, and this process, as the subreaper, has been given.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/sweep.hpp"

namespace hostmesh::bootstrap {

// The environment variable by which what an allocation started, and whatever that started, is known.
inline constexpr const char* kEnvAllocation = "HOSTMESH_ALLOCATION";

// What of the orphans in this process is ours to kill.
enum class OrphansAre : std::uint8_t {
  kAllOurs,  // the process exists for its mesh
  kMarked,   // other code starts processes here, too: only those that carry the allocation's mark
};

// Reactor thread only.
class Orphans {
 public:
  Orphans(Reactor& reactor, std::shared_ptr<ChildRegistry> registry);

  void set_policy(OrphansAre policy) { policy_ = policy; }
  // Kills the orphans of `allocation` and of what they leave behind in turn, until none is left. One sweep
  // runs at a time; what is asked for meanwhile is done next.
  void sweep(const std::string& allocation);

 private:
  void start();

  Reactor& reactor_;
  const std::shared_ptr<ChildRegistry> registry_;
  OrphansAre policy_ = OrphansAre::kMarked;
  std::set<std::string> asked_;
  std::unique_ptr<Sweep> running_;
};

}  // namespace hostmesh::bootstrap
