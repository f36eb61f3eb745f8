// A ChildMachine whose actions are written down, and whose clock the test moves by hand.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/alloc/child_machine.hpp"

namespace hostmesh::test {

using namespace std::chrono_literals;

inline constexpr ChildTiming kTiming{
    .launch = 10s, .hello = 20s, .start = 30s, .heartbeat = 40s, .exit = 5s, .kill = 3s};

class RecordedActions final : public ChildActions {
 public:
  void send_start() override { note("start"); }
  void send_stop() override { note("stop"); }
  void close_lifeline() override { note("eof"); }
  void signal(int number) override { note(signal_name(number)); }
  void created() override { note("created"); }
  void running() override { note("running"); }
  void stopped(const StopReason& its_reason) override {
    reason = its_reason;
    note("stopped");
  }
  void failed(const Error& its_error) override {
    error = its_error;
    note("failed");
  }

  // What was done since the last call: "created eof TERM".
  std::string take() { return std::exchange(text_, {}); }

  StopReason reason;
  Error error;

 private:
  void note(std::string_view action) {
    if (!text_.empty()) text_ += ' ';
    text_ += action;
  }
  std::string text_;
};

struct Bench {
  explicit Bench(ChildKind kind = ChildKind::kProtocol, ChildTiming timing = kTiming)
      : machine(kind, timing, actions, now) {}

  // What the machine does about one event, by its name in the tables of the tests.
  std::string on(std::string_view event) {
    now += 1ms;
    if (event == "waiting") {
      machine.waiting();
    } else if (event == "placed") {
      machine.placed(now);
    } else if (event == "launched") {
      machine.launched(now);
    } else if (event == "failed") {
      machine.launch_failed(Error(Cause::kSpawnFailed, "no such program"));
    } else if (event == "exited") {
      machine.exited(ExitStatus::exited(7));
    } else if (event == "hello") {
      welcome = machine.hello(now);
    } else if (event == "started") {
      machine.started(now);
    } else if (event == "heard") {
      machine.heard(now);
    } else if (event == "disconnected") {
      machine.disconnected("end of file", now);
    } else if (event == "violated") {
      machine.violated("it lied", now);
    } else if (event == "carried") {
      machine.carried();
    } else if (event == "stop") {
      machine.stop(now);
    } else if (event == "kill") {
      machine.kill(now);
    } else if (event == "deadline") {
      if (machine.deadline().is_never()) return "none";
      now = machine.deadline().when();
      machine.deadline_passed(now);
    } else {
      ADD_FAILURE() << "no event is called " << event;
    }
    return actions.take();
  }
  void all(const std::vector<std::string_view>& events) {
    for (const std::string_view event : events) on(event);
  }

  TimePoint now{std::chrono::hours(1)};
  RecordedActions actions;
  ChildMachine machine;
  bool welcome = false;
};

}  // namespace hostmesh::test
