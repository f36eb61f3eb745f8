// The trial of a plugin in a process of its own, before its code runs in this one.
//
// Loading a library runs its constructors, and what those do cannot be undone or survived: they may abort,
// call exit, or never return. So a program that does nothing else, plugin-probe, loads the plugin first. Only
// whether that program lives through it counts; everything that can be said without dying is left to the real
// loading, which says it better.
#pragma once

#include <filesystem>
#include <memory>

#include "hostmesh/base/cancel.hpp"
#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/process/child_registry.hpp"

namespace hostmesh {

struct ProbeOptions {
  // How long a plugin may take to be loaded and to say what it is.
  Duration timeout = std::chrono::seconds(10);
  // Where this program collects orphans, so that the probing process is not taken for one.
  std::shared_ptr<ChildRegistry> registry{};
  std::shared_ptr<Cancel> cancel{};  // ends the wait with kCancelled
};

// An error when the probing process died or did not get through in time: the file, what it was doing, how it
// ended, the last words on its stderr. Success without a trial for a file that is loaded already, one of the
// installation's own plugin folder, and where the probing program is missing or cannot be started. Any
// thread; blocks for at most the timeout.
Result<> probe_plugin(const std::filesystem::path& file, const ProbeOptions& options);

}  // namespace hostmesh
