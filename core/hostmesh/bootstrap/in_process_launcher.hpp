// InProcessLauncher: launches are procs inside this very process.
//
// It is behind what plugins ask for with run_local_proc, and behind the procs of hosts that live inside this
// process themselves. A launch has no command of its own: its payload says who it is, and what it may become
// is what this program's ActorTable has.
#pragma once

#include <memory>
#include <unordered_map>

#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/process/child_launcher.hpp"

namespace hostmesh::bootstrap {

// Reactor thread only, like every ChildLauncher. on_launched has this process's pid. There is no output.
class InProcessLauncher final : public ChildLauncher {
 public:
  // `home` outlives the launcher; the procs live on its engine.
  InProcessLauncher(Node& home, Events events);
  // Its procs end at once, though not within this call.
  ~InProcessLauncher() override;

  void launch(LaunchId id, LaunchRequest request) override;
  void signal(LaunchId id, int signal_number) override;
  void close_stdin(LaunchId id) override;
  void pause_output(LaunchId) override {}
  void resume_output(LaunchId) override {}

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh::bootstrap
