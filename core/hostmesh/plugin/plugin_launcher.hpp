// PluginLauncher: what a plugin does, as a ChildLauncher.
//
// A plugin reports from any thread, and may be wrong; the machine above hears of each launch on the reactor,
// in order, with exactly one end. What the plugin asks the host to run goes through launchers of its own: a
// LocalLauncher for commands, and another one for procs inside this process.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/plugin/abi.h"
#include "hostmesh/plugin/plugin.hpp"
#include "hostmesh/process/child_launcher.hpp"
#include "hostmesh/process/early_words.hpp"
#include "hostmesh/process/local_launcher.hpp"

namespace hostmesh {

namespace detail {
class HostContext;
}

//            launched            output        exited, failed
// Launching  -> Launched         dropped       failed: -> gone; exited: reported as failed, -> gone
// Launched   dropped             passed on     -> gone
// gone       dropped             dropped       dropped
//
// "Dropped" is logged. An exit before launched() is no launch that works, but a launch that is over: to drop
// it would leave its owner waiting. Once the host runs a launch, the plugin's own reports for it are dropped
// as well.
//
// Reactor thread only.
class PluginLauncher final : public ChildLauncher, public EarlyWords {
 public:
  PluginLauncher(std::shared_ptr<Plugin> plugin, const hostmesh_plugin_table& table, Reactor& reactor,
                 LaunchThread& launch_thread, Events events, LocalLauncher::Options local,
                 MakeChildLauncher local_procs);
  // Calls the plugin's destroy(), which must not block.
  ~PluginLauncher() override;

  // Makes the plugin's instance; needed before anything else. `context` was made for deliver() of this
  // launcher.
  Result<> open(std::shared_ptr<detail::HostContext> context, const hostmesh_config& config);
  // To be run on the reactor when there are calls in the context; nothing happens once the launcher is gone.
  std::function<void()> deliver() const;

  void launch(LaunchId id, LaunchRequest request) override;
  void signal(LaunchId id, int signal_number) override;
  void close_stdin(LaunchId id) override;
  void pause_output(LaunchId id) override;
  void resume_output(LaunchId id) override;
  std::vector<std::string> early_words(LaunchId id) const override;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
