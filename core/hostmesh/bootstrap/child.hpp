// The child's end of the bootstrap protocol: a launched process becomes a proc of its owner, until told or
// left alone.
#pragma once

#include <functional>
#include <string>

#include "hostmesh/bootstrap/node.hpp"

namespace hostmesh::bootstrap {

// True in a process that was launched to become a proc.
bool is_child();

// What a child is beyond the protocol; given by the rooms above.
struct ChildHooks {
  // The proc exists: give it its agent and say which actor that is. On the reactor.
  std::function<Result<ActorId>(Node&, Proc&, const StartProc&)> on_start;
  // Stop what runs here, then call `done`; the child exits afterwards. On the reactor.
  std::function<void(std::function<void()> done)> on_stop;
};

// What every proc of this library grows into: its agent, and a host when the trampoline says so. Defined by
// the room above, mesh/child_main.cpp, which alone knows them; declared here, because procs inside this
// process are begun here, wherever the program asks for them.
ChildHooks hooks_of_proc(Node& node);

// What this machine calls itself.
std::string node_name();

// Runs the child on the calling thread and exits the process when the owner says so, when its lifeline or
// connection ends, or on SIGTERM; whatever runs below it is killed first. What goes wrong before that is said
// on stderr, and the exit code is 1. Call it before threads are started.
[[noreturn]] void run_child(ActorTable actors, const std::function<ChildHooks(Node&)>& make_hooks);

}  // namespace hostmesh::bootstrap
