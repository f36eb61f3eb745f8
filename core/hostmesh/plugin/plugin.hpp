// Plugin: one allocator plugin, loaded from a shared library. PluginRegistry: where plugins are looked for.
//
// A library stays mapped for the life of the process, whatever becomes of these objects; so nothing that a
// plugin left behind (threads, thread-local destructors, exit handlers) can run into unmapped code.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/plugin/description.hpp"
#include "hostmesh/plugin/plugin_observer.hpp"
#include "hostmesh/plugin/plugin_probe.hpp"
#include "hostmesh/process/child_launcher.hpp"
#include "hostmesh/process/local_launcher.hpp"

namespace hostmesh {

// What the host does for one instance of a plugin.
struct PluginServices {
  LocalLauncher::Options commands{};           // how the commands are run that the plugin asks for
  MakeChildLauncher local_procs{};             // for procs inside this process; without it each of them fails
  std::shared_ptr<PluginObserver> observer{};  // hears of what the host puts right; may be null
};

// Thread-safe.
class Plugin : public std::enable_shared_from_this<Plugin> {
 public:
  // Opens `file` and asks it what it is. Refused before any of its code runs: what is no regular file or no
  // whole shared library of this machine, and a file or folder that others than its owner can write to or
  // whose owner is neither root, this user, nor the owner of the running program. Then what a probing process
  // did not survive (plugin_probe.hpp). Then: no entry point, no common ABI version, the plugin's own
  // refusal, a description that makes no sense. Cause::kPlugin, naming the file and the reason. Blocks.
  static Result<std::shared_ptr<Plugin>> load(const std::filesystem::path& file,
                                              const ProbeOptions& probe = {});
  ~Plugin();
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  const PluginDescription& description() const;

  // A launcher that does what the plugin does. Reactor thread, or before the reactor runs; `reactor` and
  // `launch_thread` outlive the launcher, which keeps this Plugin. `options` are from validate_options();
  // Fails with the plugin's own words.
  Result<std::unique_ptr<ChildLauncher>> create(Reactor& reactor, LaunchThread& launch_thread,
                                                const OptionValues& options, ChildLauncher::Events events,
                                                PluginServices services = {});

  struct Impl;

 private:
  explicit Plugin(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Thread-safe.
class PluginRegistry {
 public:
  // Folders, searched in order; one that does not exist is skipped silently.
  explicit PluginRegistry(std::vector<std::filesystem::path> search_path, ProbeOptions probe = {});

  // lib<name>.so of the first folder that has it, loaded once. When none has: where it was looked for, what
  // is there, and the nearest name. A file that is there but is refused is an error, not skipped, and the
  // same one when asked again.
  Result<std::shared_ptr<Plugin>> find(std::string_view name);
  // The names that find() would look at, sorted; nothing is loaded.
  std::vector<std::string> names() const;
  const std::vector<std::filesystem::path>& search_path() const { return search_path_; }

 private:
  Result<std::shared_ptr<Plugin>> load(std::string_view name, const std::filesystem::path& file) const;

  std::vector<std::filesystem::path> search_path_;
  const ProbeOptions probe_;
  std::mutex mutex_;
  std::map<std::string, Result<std::shared_ptr<Plugin>>, std::less<>> tried_;
};

}  // namespace hostmesh
