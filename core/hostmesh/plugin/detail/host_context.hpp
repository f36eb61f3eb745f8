// What a plugin instance holds of the host: the functions that it may call from any thread, and the queue
// through which those calls come to the reactor.
//
// Owned by the Plugin, not by the launcher, so that a plugin that reports after it was destroyed is told so
// in the log instead of touching freed memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/plugin/abi.h"
#include "hostmesh/plugin/plugin_observer.hpp"
#include "hostmesh/process/child_launcher.hpp"

namespace hostmesh::detail {

// The calls of a plugin, as values.
struct LaunchedReport {
  LaunchId id;
  std::int64_t pid;
  std::string node;
};
struct OutputReport {
  LaunchId id;
  OutputStream stream;
  Bytes bytes;
};
struct ExitedReport {
  LaunchId id;
  ExitStatus status;
};
struct FailedReport {
  LaunchId id;
  Error error;
  bool from_host = false;  // launch() itself failed; the host says so, and it holds even for a local command
};
struct SpawnLocal {
  LaunchId id;
  LaunchRequest command;
  std::string node;
};
struct RunLocalProc {
  LaunchId id;
};
struct SignalLocal {
  LaunchId id;
  int signal_number;
};
struct CloseStdinLocal {
  LaunchId id;
};
struct PauseLocal {
  LaunchId id;
  bool pause;
};
using HostCall = std::variant<LaunchedReport, OutputReport, ExitedReport, FailedReport, SpawnLocal,
                              RunLocalProc, SignalLocal, CloseStdinLocal, PauseLocal>;

class HostContext {
 public:
  // What a plugin may ask for besides reports.
  enum class LocalProcs : std::uint8_t { kNot, kAllowed };

  // `deliver` runs on the reactor after calls came in, once for all that have come meanwhile.
  // `observer` may be null.
  HostContext(std::string plugin_name, LocalProcs local_procs, Reactor& reactor,
              std::function<void()> deliver, std::shared_ptr<PluginObserver> observer)
      : plugin_name_(std::move(plugin_name)),
        local_procs_(local_procs),
        observer_(std::move(observer)),
        reactor_(&reactor),
        deliver_(std::move(deliver)) {}

  // What the plugin may ask for while its instance is made; reactor thread. None: not any more.
  void may_use_tcp(std::function<void()> call) { use_tcp_ = std::move(call); }
  void use_tcp() const {
    if (use_tcp_) use_tcp_();
  }

  // Any thread.
  void push(HostCall call);
  std::vector<HostCall> take();
  // Before destroy(): what comes from now on is dropped without a word, for the plugin cannot know yet.
  void closing();
  // After destroy(): what comes from now on breaks the contract.
  void closed();
  const std::string& plugin_name() const { return plugin_name_; }
  LocalProcs local_procs() const { return local_procs_; }
  PluginObserver* observer() const { return observer_.get(); }

  // The opaque handle of the C interface.
  hostmesh_host* handle() { return reinterpret_cast<hostmesh_host*>(this); }
  static HostContext& from(hostmesh_host* handle) { return *reinterpret_cast<HostContext*>(handle); }

 private:
  enum class Phase : std::uint8_t { kOpen, kClosing, kClosed };

  void observe(const HostCall& call) const;

  const std::string plugin_name_;
  const LocalProcs local_procs_;
  const std::shared_ptr<PluginObserver> observer_;
  std::mutex mutex_;
  Phase phase_ = Phase::kOpen;
  Reactor* reactor_;
  std::function<void()> deliver_;
  std::vector<HostCall> calls_;
  std::function<void()> use_tcp_;
};

// The functions that plugins call; the same table for all of them.
const hostmesh_host_table& host_table();

std::string to_text(hostmesh_text text);
hostmesh_text to_view(std::string_view text);
// The plugin's words, with its name in front.
Error to_error(const std::string& plugin_name, const hostmesh_error& error);
hostmesh_error empty_error();

}  // namespace hostmesh::detail
