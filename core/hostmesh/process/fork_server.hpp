// ForkServer: starts many copies of one program by forking one that is already running, instead of exec'ing
// each.
//
// The server is the program itself, started once; it has not begun its work, has a single thread and holds no
// descriptor but the socket on which it is asked. Each child it makes is, to the kernel, a child of this
// process and not of the server: its exit status, its parent-death signal and its pidfd are as exact as those
// of an exec'ed child, and it gets pipes, an environment and a process group of its own.
#pragma once

#include <functional>
#include <memory>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/launch_thread.hpp"
#include "hostmesh/process/spawn.hpp"

namespace hostmesh {

// Owner's end. Reactor thread only.
class ForkServer {
 public:
  using Done = std::function<void(Result<SpawnedProcess>)>;

  // Starts the server: `program` as a child of its own would be started, but for its standard streams. Both
  // outlive this.
  ForkServer(Reactor& reactor, LaunchThread& launch_thread, SpawnRequest program);
  // Ends the server; what it has started lives on. Launches under way are answered with kCancelled.
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  // Another one of the program. Of the request, argv is ignored and nothing may be passed or inherited.
  // `done` is called once, never inside this call; when the server could not be started or has ended, with an
  // error that says how.
  void launch(SpawnRequest request, Done done);

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// Called after each fork before all else, where the program has something to do then.
struct ForkHooks {
  void (*in_child)() = nullptr;
  void (*in_server)() = nullptr;
};

// The program's end, for the start of main and before any thread. In a process that is to be a fork server:
// serves, and returns only in each child that it has made, whose environment and streams are then those asked
// for. In any other process: returns at once.
void serve_forks_if_asked(ForkHooks hooks = {});

}  // namespace hostmesh
