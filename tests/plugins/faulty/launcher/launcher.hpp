// The launcher that all faulty plugins share: one thread, which forks the children, waits for whatever
// happens to them and reports it. What it does for a launch is in its Steps.
//
// Calls of the host's become tasks of that thread, in their order: a signal that follows a launch finds it
// started.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "steps.hpp"

namespace faulty {

class PipeLauncher : public hostmesh::plugin::Launcher {
 public:
  PipeLauncher(const Host& host, std::unique_ptr<Steps> steps);
  ~PipeLauncher() override;

  void launch(const LaunchRequest& request) override;
  void signal(LaunchId id, int signal_number) override;
  void close_stdin(LaunchId id) override;
  void pause_output(LaunchId id) override { pause(id, true); }
  void resume_output(LaunchId id) override { pause(id, false); }

 private:
  void post(std::function<void()> task);
  void pause(LaunchId id, bool paused);

  // The launcher's thread.
  void run();
  void run_tasks();
  void wait_and_handle();
  void start(LaunchRequest request);
  void write_payload(Child& child);
  void read(LaunchId id, Descriptor& from, Stream stream);
  void end(LaunchId id);

  const Host host_;
  const std::unique_ptr<Steps> steps_;
  Descriptor wake_;
  std::mutex mutex_;
  std::deque<std::function<void()>> tasks_;
  bool closing_ = false;
  Children children_;
  std::thread thread_;  // last: it uses all of the above
};

template <class Fault>
class Faulty final : public PipeLauncher {
 public:
  static Description describe() { return Fault::describe(); }
  Faulty(const Config&, const Host& host) : PipeLauncher(host, std::make_unique<Fault>()) {}
};

}  // namespace faulty

// FAULT_NAME is the name of the source, which CMake says.
#define FAULTY_PLUGIN(fault) HOSTMESH_PLUGIN(faulty::Faulty<fault>, FAULT_NAME, "1.0.0")
