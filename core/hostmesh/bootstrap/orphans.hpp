// Orphans: what a host that died left behind, and this process, as the subreaper, has been given.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

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
  // Kills the orphans of `allocation` and of what they leave behind in turn, until none is left, and then
  // calls `done`, never inside this call. One sweep runs at a time; what is asked for meanwhile is done next.
  // With kMarked, those that had died by themselves before they were looked at cannot be told from other
  // code's children, and stay zombies. `most` narrows the policy for this one.
  void sweep(const std::string& allocation, std::function<void()> done,
             OrphansAre most = OrphansAre::kAllOurs);

 private:
  struct Asked {
    OrphansAre ours = OrphansAre::kMarked;
    std::map<std::string, std::vector<std::function<void()>>> waiting;  // by allocation
  };
  // `looks`: how many more follow this one.
  void start(std::shared_ptr<const Asked> asked, int looks);
  void start_next();

  Reactor& reactor_;
  const std::shared_ptr<ChildRegistry> registry_;
  OrphansAre policy_ = OrphansAre::kMarked;
  Asked asked_;
  std::unique_ptr<Sweep> running_;
  Timer again_;
  bool busy_ = false;
};

}  // namespace hostmesh::bootstrap
