// PluginObserver: sees what a plugin does before the host has put it right.
//
// What is above a PluginLauncher hears of each launch in order and with one end, whatever the plugin did. Who
// judges plugins needs to see the rest: reports that were dropped, exceptions, calls that do not return.
// Given to Plugin::create(); nobody else needs one.
#pragma once

#include <cstdint>
#include <string_view>

#include "hostmesh/process/child_launcher.hpp"

namespace hostmesh {

class PluginObserver {
 public:
  enum class Moment : std::uint8_t { kBeforeDestroy, kInDestroy, kAfterDestroy };
  // One call of the plugin's into the host, as it came. `call` is the name of the host table's function.
  struct Report {
    std::string_view call;
    LaunchId id = 0;
    Moment moment = Moment::kBeforeDestroy;
    // launched: the pid; output: the number of bytes; exited: the code or signal; signal_local: the signal.
    std::int64_t number = 0;
  };

  virtual ~PluginObserver() = default;

  // Any thread, in the order in which they came from each thread. Must be quick and must not throw.
  virtual void on_report(const Report&) {}
  // Such a report has no effect, for this reason.
  virtual void on_dropped(std::string_view /*call*/, LaunchId, std::string_view /*why*/) {}

  // Reactor thread. The plugin has taken a launch back whose command ended before it had started.
  virtual void on_taken_back(LaunchId) {}

  // Reactor thread, around each call of the host's into the plugin: the name of the plugin table's function.
  virtual void on_call(std::string_view /*call*/, LaunchId) {}
  virtual void on_return(std::string_view /*call*/, LaunchId) {}
  // That call let an exception out.
  virtual void on_exception(std::string_view /*call*/, std::string_view /*what*/) {}
};

}  // namespace hostmesh
