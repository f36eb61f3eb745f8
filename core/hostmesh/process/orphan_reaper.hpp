// OrphanReaper: reaps the orphans that a subreaper was given, in a program where other code starts and awaits
// processes, too, and SIGCHLD is not ours to handle.
//
// The kernel does not tell an orphan from a child that other code has started. Two kinds are certain: a child
// that is in another session than this process without leading it, because a process starts its life in its
// parent's session and leaves it only to lead one; and one that carries the mark of what this program has
// launched. Others are left alone: whoever started them may be waiting for their exit status.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>

#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

class ChildRegistry;

// Reactor thread only.
class OrphanReaper {
 public:
  // Says of a living child whether it carries the mark.
  using IsMarked = std::function<bool(pid_t)>;

  OrphanReaper(Reactor& reactor, std::shared_ptr<ChildRegistry> registry, IsMarked is_marked);
  // What still lives then is not reaped.
  ~OrphanReaper();
  OrphanReaper(const OrphanReaper&) = delete;
  OrphanReaper& operator=(const OrphanReaper&) = delete;

  // Looks for orphans at the end of this turn of the reactor: takes away the dead ones, and the living ones
  // when they end. To be called when something that was launched has ended, since that is when there are new
  // ones.
  void look();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
