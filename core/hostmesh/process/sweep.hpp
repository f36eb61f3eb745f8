// Sweep: kills the descendants that are left, until nobody is.
//
// Each child that dies hands its own children to this process, when it is a subreaper, so killing the
// children again and again reaches everybody below, in a number of rounds that is the depth of the tree.
//
// Only the kernel's word that there are no children ends a sweep of all, and where none of them can be seen
// (no /proc, no descriptor) they are searched for by number. So what is not seen is never taken for what is
// not there.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

class ChildRegistry;

// What a sweep has done.
struct Swept {
  std::vector<pid_t> survivors;     // still there at the deadline
  bool has_unseen = false;          // there are children at the deadline that could not be found
  std::vector<std::string> killed;  // the names of the processes that had to be killed, where they are wanted

  bool is_clean() const { return survivors.empty() && !has_unseen; }
};

// Reactor thread only.
class Sweep {
 public:
  using Ours = std::function<bool(pid_t)>;
  using Done = std::function<void(const Swept&)>;
  enum class Names : std::uint8_t { kSkip, kKeep };

  // Starts at once. `ours` says which children to kill; empty means all that no owner waits for. Children
  // with an owner in `registry` (which may be null) are killed when `ours` says so, but reaped by their
  // owner. `done` is called once, never from inside the constructor. A process is signalled through a pidfd;
  // where none can be had, by its number, while it is a child that has not been reaped.
  Sweep(Reactor& reactor, std::shared_ptr<ChildRegistry> registry, Ours ours, Deadline deadline, Done done,
        Names names = Names::kSkip);
  // Ends the sweep without calling done.
  ~Sweep();
  Sweep(const Sweep&) = delete;
  Sweep& operator=(const Sweep&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
