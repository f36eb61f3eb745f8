// AdoptedReaper: takes away orphans that were handed to this process and die by themselves.
//
// For programs that own their process (the stock child, the command line) and are subreapers: nobody else
// would wait for those, and they would stay zombies. It listens to SIGCHLD, and looks only at children of the
// main thread that have no owner in the registry: a child that other code forked on a thread of its own and
// waits for is left to it. Code that forks on the main thread and waits itself must register, or not be in
// such a program.
#pragma once

#include <memory>

#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

class ChildRegistry;

// Reactor thread only, made and destroyed.
class AdoptedReaper {
 public:
  AdoptedReaper(Reactor& reactor, std::shared_ptr<ChildRegistry> registry);
  ~AdoptedReaper();
  AdoptedReaper(const AdoptedReaper&) = delete;
  AdoptedReaper& operator=(const AdoptedReaper&) = delete;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
