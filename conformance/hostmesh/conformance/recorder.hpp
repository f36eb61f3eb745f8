// Recorder: everything that a plugin instance was seen to do, as its host sees it and as it came.
//
// Written on the reactor and on the plugin's threads, read and waited for by the case. It outlives the
// instance, because reports may come after destroy(): that is one of the things to be seen.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/plugin/plugin_observer.hpp"
#include "hostmesh/process/child_launcher.hpp"

namespace hostmesh::conformance {

// All that the host was told about one launch.
struct Seen {
  bool launched = false;
  std::int64_t pid = -1;
  std::string node;
  std::string out;
  std::string err;
  bool ended = false;
  ExitStatus status;           // when it exited
  std::optional<Error> error;  // when it failed

  // "exited with code 7", "failed: ...", "launched with pid 12 and not ended".
  std::string text() const;
};

// One call of the plugin's into the host, as it came.
struct RawReport {
  std::string call;
  LaunchId id = 0;
  PluginObserver::Moment moment = PluginObserver::Moment::kBeforeDestroy;
  std::int64_t number = 0;
};

struct Dropped {
  std::string call;
  LaunchId id = 0;
  std::string why;
};

// One call of the host's into the plugin.
struct HostCallSeen {
  std::string call;
  LaunchId id = 0;
  TimePoint began;
  std::optional<Duration> took;  // none while it is inside
  // `took` without the time in which its thread was ready to run and had no processor: what the call takes on
  // a machine that has nothing else to do, whatever this one does. As `took` where the kernel does not count
  // that.
  std::optional<Duration> own;
  std::string exception;
};

class Recorder final : public PluginObserver {
 public:
  // `note` gets one line for each event; any thread.
  explicit Recorder(std::function<void(const std::string&)> note) : note_(std::move(note)) {}

  // What the instance's events go to.
  ChildLauncher::Events events();

  // PluginObserver.
  void on_report(const Report& report) override;
  void on_dropped(std::string_view call, LaunchId id, std::string_view why) override;
  void on_taken_back(LaunchId id) override;
  void on_call(std::string_view call, LaunchId id) override;
  void on_return(std::string_view call, LaunchId id) override;
  void on_exception(std::string_view call, std::string_view what) override;

  Seen seen(LaunchId id) const;
  std::vector<RawReport> reports() const;
  std::vector<RawReport> reports_of(LaunchId id) const;
  std::vector<Dropped> dropped() const;
  // How often the plugin has taken it back for another try.
  std::size_t taken_back(LaunchId id) const;
  std::vector<HostCallSeen> calls() const;

  // Waits until `enough`, which is asked at every event; false at the deadline. Runs it with the record
  // locked.
  bool wait(Deadline deadline, const std::function<bool()>& enough);
  bool wait_seen(LaunchId id, Deadline deadline, const std::function<bool(const Seen&)>& enough);
  bool wait_reports(Deadline deadline, const std::function<bool(const std::vector<RawReport>&)>& enough);

 private:
  // Records it, wakes who waits, and notes it.
  void add(const std::string& event, const std::function<void()>& change);

  const std::function<void(const std::string&)> note_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<LaunchId, Seen> seen_;
  std::vector<RawReport> reports_;
  std::vector<Dropped> dropped_;
  std::vector<HostCallSeen> calls_;
  Duration waited_before_call_{};  // for a processor
  std::vector<LaunchId> taken_back_;
};

}  // namespace hostmesh::conformance
