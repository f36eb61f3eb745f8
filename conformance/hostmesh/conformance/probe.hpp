// Probe: one instance of the plugin, driven as the core drives it, with every event recorded.
//
//   Probe probe(stage);
//   const LaunchId launch = probe.launch(stage.payload({"exit", "7"}));
//   stage.equal("the end of the launch", probe.await_end(launch).status, ExitStatus::exited(7));
//
// It has a reactor and a launch thread of its own. Calls come from the case's thread and wait for the
// reactor; what takes longer than the case has is a failure that says what did not come. A plugin that does
// not come back from a call keeps its reactor for ever; the process of the case ends all the same.
#pragma once

#include <csignal>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/conformance/recorder.hpp"
#include "hostmesh/conformance/stage.hpp"

namespace hostmesh::conformance {

class Probe {
 public:
  struct Options {
    std::optional<std::uint64_t> descriptor_limit;  // of the launches
  };

  // Makes the instance.
  explicit Probe(Stage& stage) : Probe(stage, Options{}) {}
  Probe(Stage& stage, const Options& options);
  // Destroys the instance if the case has not.
  ~Probe();
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  // ---- what the host does ----
  LaunchId launch(LaunchRequest request);
  void signal(LaunchId id, int number);
  void close_stdin(LaunchId id);
  void pause_output(LaunchId id);
  void resume_output(LaunchId id);
  void destroy();
  // Runs `work` on the thread that calls the plugin; it may call launch(), signal() and close_stdin(). Until
  // it returns, the host makes nothing of what the plugin reports, which only the record sees.
  void on_host_thread(const std::function<void()>& work) { on_reactor("a call of the host's", work); }

  // ---- what it then sees; each fails the case when it does not come in time ----
  Seen await_launched(LaunchId id);
  Seen await_end(LaunchId id);
  // Until its stdout contains this.
  Seen await_output(LaunchId id, const std::string& text);
  Seen await(LaunchId id, const std::string& what, const std::function<bool(const Seen&)>& enough);
  // Launches, and waits until the payload says that it is ready.
  LaunchId launch_ready(LaunchRequest request);

  Recorder& record() { return *record_; }
  Seen seen(LaunchId id) const { return record_->seen(id); }

 private:
  struct Engine;
  // On the reactor, or at once when this is its thread; `call` says what for. Fails when it has not come back
  // at the deadline.
  void on_reactor(const std::string& call, const std::function<void()>& work);

  Stage& stage_;
  const std::shared_ptr<Recorder> record_;
  const std::shared_ptr<Engine> engine_;
  std::vector<std::string> launched_as_;
  bool destroyed_ = false;
};

}  // namespace hostmesh::conformance
