// Orphans: what a host that died left behind, and this process, as the subreaper, has been given.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/orphan_reaper.hpp"
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
  // kNo: this process does not become a subreaper for its allocations.
  enum class Adopts : std::uint8_t { kYes, kNo };
  void set_adopts(Adopts adopts) { adopts_ = adopts; }

  // Between the two this process is given the orphans of what `allocation` has launched.
  void begin(const std::string& allocation);
  void end(const std::string& allocation);
  // Something that was launched has ended. With kMarked, orphans of it that have ended, or will, are reaped.
  void launch_ended();
  // Kills the orphans of `allocation` and of what they leave behind in turn, until none is left, and then
  // calls `done`, never inside this call. One sweep runs at a time; what is asked for meanwhile is done next.
  // `most` narrows the policy for this one.
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
  bool is_marked(pid_t pid) const;

  Reactor& reactor_;
  const std::shared_ptr<ChildRegistry> registry_;
  OrphansAre policy_ = OrphansAre::kMarked;
  Adopts adopts_ = Adopts::kYes;
  std::map<std::string, SubreaperRole> adopting_;  // by allocation
  std::unique_ptr<OrphanReaper> reaper_;           // with kMarked, from the first end on
  Asked asked_;
  std::unique_ptr<Sweep> running_;
  Timer again_;
  bool busy_ = false;
};

}  // namespace hostmesh::bootstrap
