// LocalLauncher: launches are children of this process.
//
// Each has a process group of its own and pipes for its standard streams. It is behind whatever a host starts
// on its own machine and behind the commands that plugins ask for.
#pragma once

#include <csignal>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/child_launcher.hpp"
#include "hostmesh/process/child_process.hpp"
#include "hostmesh/process/launch_thread.hpp"

namespace hostmesh {

class ChildRegistry;

// Reactor thread only, like every ChildLauncher. A child that cannot be started is on_failed with the error
// of spawn(): the command, errno and the step.
class LocalLauncher final : public ChildLauncher {
 public:
  struct Options {
    // Sent to children when the launch thread ends, thus when this process dies. None: they are left alone.
    std::optional<int> parent_death_signal = SIGKILL;
    // What on_launched calls this machine; empty: its host name.
    std::string node;
    // The children's soft limit on open descriptors; none: ours.
    std::optional<std::uint64_t> descriptor_limit;
    // Where this program collects orphans.
    std::shared_ptr<ChildRegistry> registry;
    // For how long after its end a child's output is awaited from others that hold its pipes.
    Duration drain = AtExit{}.drain;
    // For how long after its end those of its group may live on that were told to end.
    Duration grace = AtExit{}.grace;
  };

  // Both outlive the launcher.
  LocalLauncher(Reactor& reactor, LaunchThread& launch_thread, Options options, Events events);
  ~LocalLauncher() override;

  void launch(LaunchId id, LaunchRequest request) override;
  void signal(LaunchId id, int signal_number) override;
  void close_stdin(LaunchId id) override;
  void pause_output(LaunchId id) override;
  void resume_output(LaunchId id) override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
