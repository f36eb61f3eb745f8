// Sweep: kills the descendants that are left, until nobody is.
//
// Each child that dies hands its own children to this process, when it is a subreaper, so killing the
// children again and again reaches everybody below, in a number of rounds that is the depth of the tree.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

class ChildRegistry;

// Reactor thread only.
class Sweep {
 public:
  using Ours = std::function<bool(pid_t)>;
  // The pids that were still there at the deadline; empty when all is clean.
  using Done = std::function<void(std::vector<pid_t>)>;

  // Starts at once. `ours` says which children to kill; empty means all that no owner waits for. Children
  // with an owner in `registry` (which may be null) are killed when `ours` says so, but reaped by their
  // owner. `done` is called once, never from inside the constructor. Nothing is signalled but through a pidfd
  // of a verified child.
  Sweep(Reactor& reactor, std::shared_ptr<ChildRegistry> registry, Ours ours, Deadline deadline, Done done);
  // Ends the sweep without calling done.
  ~Sweep();
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
