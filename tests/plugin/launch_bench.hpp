// A reactor on a thread, a launcher on it, and a record of every event, for tests of launchers.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/plugin/plugin.hpp"
#include "hostmesh/process/launch_thread.hpp"
#include "hostmesh/process/local_launcher.hpp"

namespace hostmesh {

// All that was told about one launch.
struct LaunchRecord {
  int launched = 0;
  std::int64_t pid = -1;
  std::string node;
  std::string out;
  std::string err;
  int ends = 0;
  int events = 0;
  int events_after_end = 0;
  ExitStatus status;
  Error error;
};

class LaunchBench {
 public:
  LaunchBench() : thread_([this] { reactor.run(); }) {}
  ~LaunchBench() {
    destroy();
    reactor.stop();
    thread_.join();
    launch_thread.reset();
  }

  // Makes the launcher from a plugin, with its defaults for what `options` does not set; the text of the
  // error, or nothing.
  std::string open(Plugin& plugin, OptionValues options = {}) {
    for (const OptionDescription& option : plugin.description().options) {
      if (option.default_value) options.emplace(option.key, *option.default_value);
    }
    std::string failure;
    on_reactor([&] {
      auto made = plugin.create(reactor, *launch_thread, options, events(),
                                {.commands = {.node = "here"}, .local_procs = local_procs});
      if (made) {
        launcher = std::move(*made);
      } else {
        failure = made.error().text();
      }
    });
    return failure;
  }
  void open_local() {
    on_reactor([&] {
      launcher = std::make_unique<LocalLauncher>(reactor, *launch_thread,
                                                 LocalLauncher::Options{.node = "here"}, events());
    });
  }

  // Runs on the reactor and waits for it.
  void on_reactor(const std::function<void()>& work) {
    std::promise<void> done;
    reactor.post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  void launch(LaunchId id, std::vector<std::string> argv, std::string payload = {},
              LaunchRequest::Stdin stdin_use = LaunchRequest::Stdin::kLifeline) {
    LaunchRequest request{.rank = id, .argv = std::move(argv), .environment = {"PATH=/usr/bin:/bin"}};
    request.stdin_payload.assign(payload.begin(), payload.end());
    request.stdin_use = stdin_use;
    on_reactor([&] { launcher->launch(id, std::move(request)); });
  }
  void shell(LaunchId id, const std::string& script) { launch(id, {"sh", "-c", script}); }
  void signal(LaunchId id, int number) {
    on_reactor([&] { launcher->signal(id, number); });
  }
  void destroy() {
    on_reactor([&] { launcher.reset(); });
    const std::lock_guard lock(mutex_);
    destroyed_ = true;
  }

  // Waits until the record of `id` is as `enough` says; the record as it then is.
  LaunchRecord wait(LaunchId id, const std::function<bool(const LaunchRecord&)>& enough) {
    std::unique_lock lock(mutex_);
    const bool in_time = changed_.wait_for(lock, kHang, [&] { return enough(records_[id]); });
    EXPECT_TRUE(in_time) << "launch " << id << " hangs";
    return records_[id];
  }
  LaunchRecord wait_end(LaunchId id) {
    return wait(id, [](const LaunchRecord& record) { return record.ends > 0; });
  }
  LaunchRecord wait_launched(LaunchId id) {
    return wait(id, [](const LaunchRecord& record) { return record.launched > 0; });
  }
  LaunchRecord wait_output(LaunchId id, const std::string& text) {
    return wait(id, [&](const LaunchRecord& record) { return record.out.find(text) != std::string::npos; });
  }
  LaunchRecord record(LaunchId id) {
    const std::lock_guard lock(mutex_);
    return records_[id];
  }
  int events_after_destroy() {
    const std::lock_guard lock(mutex_);
    return after_destroy_;
  }

  static constexpr std::chrono::seconds kHang{30};
  Reactor reactor;
  std::unique_ptr<LaunchThread> launch_thread = std::make_unique<LaunchThread>();
  std::unique_ptr<ChildLauncher> launcher;
  MakeChildLauncher local_procs;                // for open()
  std::function<void(LaunchId)> when_launched;  // on the reactor
  std::function<void(LaunchId)> when_ended;

 private:
  template <class Change>
  void note(LaunchId id, Change change) {
    {
      const std::lock_guard lock(mutex_);
      LaunchRecord& record = records_[id];
      ++record.events;
      if (record.ends > 0) ++record.events_after_end;
      if (destroyed_) ++after_destroy_;
      change(record);
    }
    changed_.notify_all();
  }
  ChildLauncher::Events events() {
    return {.on_launched =
                [this](LaunchId id, std::int64_t pid, const std::string& node) {
                  note(id, [&](LaunchRecord& record) {
                    ++record.launched;
                    record.pid = pid;
                    record.node = node;
                  });
                  if (when_launched) when_launched(id);
                },
            .on_output =
                [this](LaunchId id, OutputStream stream, ByteView bytes) {
                  note(id, [&](LaunchRecord& record) {
                    (stream == OutputStream::kStdout ? record.out : record.err)
                        .append(bytes.begin(), bytes.end());
                  });
                },
            .on_exited =
                [this](LaunchId id, const ExitStatus& status) {
                  note(id, [&](LaunchRecord& record) {
                    ++record.ends;
                    record.status = status;
                  });
                  if (when_ended) when_ended(id);
                },
            .on_failed =
                [this](LaunchId id, const Error& error) {
                  note(id, [&](LaunchRecord& record) {
                    ++record.ends;
                    record.error = error;
                  });
                  if (when_ended) when_ended(id);
                }};
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<LaunchId, LaunchRecord> records_;
  bool destroyed_ = false;
  int after_destroy_ = 0;
  std::thread thread_;
};

}  // namespace hostmesh
