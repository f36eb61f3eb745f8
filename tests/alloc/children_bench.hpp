// Children on a reactor that the test runs until something has happened, with a record of all that they said,
// and the check that nothing is left behind.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/alloc/children.hpp"
#include "support/leaks.hpp"

namespace hostmesh::test {

using namespace std::chrono_literals;

// Long enough to be never; each test shortens what it is about.
inline constexpr ChildTiming kPatient{
    .launch = 1h, .hello = 1h, .start = 1h, .heartbeat = 1h, .exit = 1h, .kill = 1h};

class ChildrenTest : public ::testing::Test {
 protected:
  struct Record {
    std::vector<std::string> events;  // "created", "running", "stopped", "respawning", "failed"
    std::vector<ChildCreated> created;
    std::vector<StopReason> reasons;
    Error error;
    std::string out;
    std::string err;
    int output_after_end = 0;

    bool ended() const {
      return !events.empty() && (events.back() == "stopped" || events.back() == "failed");
    }
    int times(std::string_view event) const {
      return static_cast<int>(std::count(events.begin(), events.end(), event));
    }
  };

  void TearDown() override {
    drop();
    reactor_.reset();
    leaks_.check();
  }

  // Tests that own something which has to go before the check.
  virtual void drop() { children.reset(); }

  Reactor& reactor() { return *reactor_; }
  Record& operator[](ChildId id) { return records_[id]; }

  Children::Events events() {
    return {.on_created =
                [this](ChildId id, const ChildCreated& event) {
                  records_[id].created.push_back(event);
                  note(id, "created");
                },
            .on_running = [this](ChildId id) { note(id, "running"); },
            .on_stopped =
                [this](ChildId id, const StopReason& reason, Children::Events::More more) {
                  records_[id].reasons.push_back(reason);
                  note(id, more == Children::Events::More::kRespawn ? "respawning" : "stopped");
                },
            .on_failed =
                [this](ChildId id, const Error& error) {
                  records_[id].error = error;
                  note(id, "failed");
                },
            .on_output =
                [this](ChildId id, Stream stream, ByteView bytes) {
                  Record& record = records_[id];
                  if (record.ended()) ++record.output_after_end;
                  (stream == Stream::kStdout ? record.out : record.err).append(bytes.begin(), bytes.end());
                  happened(id);
                },
            .on_channel = [](ChildId, const UniqueFd&) {}};
  }

  // Runs the reactor until `goal`, which is asked after each event; false when it is not reached in a long
  // time.
  [[nodiscard]] bool run_until(std::function<bool()> goal) {
    goal_ = std::move(goal);
    bool reached = true;
    if (!goal_()) {
      Timer bound(reactor());
      bound.after(30s, [&] {
        reached = false;
        reactor().stop();
      });
      reactor().run();
    }
    goal_ = nullptr;
    return reached;
  }

  // Runs what is posted now and what that posts in turn.
  void settle() {
    for (int turn = 0; turn < 4; ++turn) {
      reactor().post([this] { reactor().stop(); });
      reactor().run();
    }
  }

  void happened(ChildId id) {
    if (when_heard) when_heard(id);
    look();
  }
  void look() {
    if (goal_ && goal_()) reactor().stop();
  }

  const LeakCheck leaks_;
  std::unique_ptr<Children> children;
  std::function<void(ChildId)> when_heard;

 private:
  void note(ChildId id, std::string event) {
    EXPECT_FALSE(inside_) << "an event from inside a call";
    records_[id].events.push_back(std::move(event));
    happened(id);
  }

 protected:
  // A call during which no event may come.
  template <class Call>
  auto within(Call call) {
    struct Mark {
      explicit Mark(bool& its_flag) : flag(its_flag) { flag = true; }
      ~Mark() { flag = false; }
      bool& flag;
    } mark(inside_);
    return call();
  }

 private:
  std::optional<Reactor> reactor_{std::in_place};
  std::map<ChildId, Record> records_;
  std::function<bool()> goal_;
  bool inside_ = false;
};

}  // namespace hostmesh::test
