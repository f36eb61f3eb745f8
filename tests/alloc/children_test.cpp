#include "hostmesh/alloc/children.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <future>

#include "alloc/children_bench.hpp"

namespace hostmesh::test {
namespace {

using Strings = std::vector<std::string>;

// Launches nothing: the test says what happens, and reads here what was asked for.
class ScriptedLauncher final : public ChildLauncher {
 public:
  struct Launch {
    LaunchId id = 0;
    LaunchRequest request;
    Strings asked;  // "eof", "signal 15", "pause", "resume"
  };
  struct Script {
    Events events;
    std::vector<Launch> launches;
    std::function<void()> on_call;  // after each call to the launcher
    Launch& of(LaunchId id) {
      for (Launch& each : launches) {
        if (each.id == id) return each;
      }
      ADD_FAILURE() << "launch " << id << " is not known";
      return launches.emplace_back();
    }
  };

  ScriptedLauncher(Script& script, Events events) : script_(script) { script_.events = std::move(events); }
  ~ScriptedLauncher() override { script_.events = {}; }

  void launch(LaunchId id, LaunchRequest request) override {
    script_.launches.push_back({.id = id, .request = std::move(request), .asked = {}});
    script_.on_call();
  }
  void signal(LaunchId id, int number) override { ask(id, "signal " + std::to_string(number)); }
  void close_stdin(LaunchId id) override { ask(id, "eof"); }
  void pause_output(LaunchId id) override { ask(id, "pause"); }
  void resume_output(LaunchId id) override { ask(id, "resume"); }

 private:
  void ask(LaunchId id, std::string what) {
    script_.of(id).asked.push_back(std::move(what));
    script_.on_call();
  }
  Script& script_;
};

class CountingControl final : public ChildControl {
 public:
  explicit CountingControl(std::function<void(const std::string&)> said) : said_(std::move(said)) {}
  void start_proc() override { said_("start"); }
  void stop_and_exit(int code) override { said_("stop " + std::to_string(code)); }
  void heartbeat() override { said_("heartbeat"); }

 private:
  std::function<void(const std::string&)> said_;
};

class ScriptedChildren : public ChildrenTest {
 protected:
  void make(std::size_t launch_limit = 64) {
    script.on_call = [this] { look(); };
    auto made = Children::make(
        reactor(),
        [this](ChildLauncher::Events to) -> Result<std::unique_ptr<ChildLauncher>> {
          return std::make_unique<ScriptedLauncher>(script, std::move(to));
        },
        launch_limit, events());
    ASSERT_TRUE(made);
    children = *std::move(made);
  }

  void add(ChildId id, ChildKind kind = ChildKind::kProtocol, ChildTiming timing = kPatient,
           RespawnPolicy respawn = {}) {
    within([&] {
      children->add(id, {.kind = kind,
                         .request =
                             [id](Incarnation incarnation) {
                               return LaunchRequest{
                                   .rank = id, .incarnation = incarnation, .argv = {"child"}};
                             },
                         .timing = timing,
                         .respawn = respawn,
                         .tail_lines = 3});
    });
  }

  // What the launcher reports, on the reactor as always, and what follows from it.
  template <class Report>
  void report(Report say) {
    reactor().post([this, say] { say(script.events); });
    settle();
  }
  void launched(std::size_t index, std::int64_t pid = 100) {
    report([this, index, pid](auto& to) { to.on_launched(script.launches.at(index).id, pid, "node"); });
  }
  void exited(std::size_t index, ExitStatus status = ExitStatus::exited(0)) {
    report([this, index, status](auto& to) { to.on_exited(script.launches.at(index).id, status); });
  }
  void failed(std::size_t index) {
    report([this, index](auto& to) {
      to.on_failed(script.launches.at(index).id, Error(Cause::kSpawnFailed, "no such program"));
    });
  }
  void output(std::size_t index, Stream stream, const std::string& text) {
    report([this, index, stream, text](auto& to) {
      const Bytes bytes(text.begin(), text.end());
      to.on_output(script.launches.at(index).id, stream, bytes);
    });
  }

  bool hello(ChildId id, Incarnation incarnation = 0) {
    const bool welcome = within([&] {
      return children->hello(id, incarnation,
                             std::make_shared<CountingControl>([this, id](const std::string& what) {
                               said[id].push_back(what);
                               happened(id);
                             }));
    });
    settle();
    return welcome;
  }
  void started(ChildId id, Incarnation incarnation = 0) {
    within([&] { children->started(id, incarnation); });
    settle();
  }
  // Up to running, as the launch with that index.
  void run_child(ChildId id, std::size_t index, Incarnation incarnation = 0) {
    launched(index);
    ASSERT_TRUE(hello(id, incarnation));
    started(id, incarnation);
  }
  Strings& asked(std::size_t index) { return script.launches.at(index).asked; }

  ScriptedLauncher::Script script;
  std::map<ChildId, Strings> said;  // to the child, over its connection
};

TEST_F(ScriptedChildren, AChildIsCreatedRunsAndStops) {
  make();
  add(7);
  launched(0, 4711);
  ASSERT_EQ((*this)[7].created.size(), 1u);
  EXPECT_EQ((*this)[7].created[0].pid, 4711);
  EXPECT_EQ((*this)[7].created[0].node, "node");
  EXPECT_TRUE(hello(7));
  EXPECT_EQ(said[7], Strings({"start"}));
  started(7);
  EXPECT_EQ(children->alive(), 1u);
  exited(0);
  EXPECT_EQ((*this)[7].events, Strings({"created", "running", "stopped"}));
  EXPECT_EQ(children->alive(), 0u);
  EXPECT_EQ(children->phase(7), ChildPhase::kStopped);
}

TEST_F(ScriptedChildren, NoMoreLaunchesAreUnderWayThanTheLimitAllows) {
  make(2);
  for (ChildId id = 0; id < 6; ++id) add(id);
  settle();
  EXPECT_EQ(script.launches.size(), 2u);
  launched(0);
  EXPECT_EQ(script.launches.size(), 3u) << "one that exists makes room";
  failed(1);
  EXPECT_EQ(script.launches.size(), 4u) << "so does one that failed";
  exited(2);
  EXPECT_EQ(script.launches.size(), 5u) << "and one that came and went in one report";
  std::vector<Rank> ranks;
  for (const auto& launch : script.launches) ranks.push_back(launch.request.rank);
  EXPECT_EQ(ranks, (std::vector<Rank>{0, 1, 2, 3, 4}));
}

TEST_F(ScriptedChildren, ALimitOfZeroStillLaunches) {
  make(0);
  add(1);
  EXPECT_EQ(script.launches.size(), 1u);
}

TEST_F(ScriptedChildren, ALaunchGivenUpMakesRoomAndIsKilledWhenItAppears) {
  make(1);
  ChildTiming timing = kPatient;
  timing.launch = 1ms;
  add(0, ChildKind::kProtocol, timing);
  add(1);
  ASSERT_TRUE(run_until([&] { return (*this)[0].ended(); }));
  settle();
  EXPECT_EQ((*this)[0].events, Strings({"failed"}));
  EXPECT_EQ((*this)[0].error.cause(), Cause::kTimeout);
  EXPECT_EQ(script.launches.size(), 2u);
  EXPECT_EQ(asked(0), Strings({"eof", "signal 9"})) << "what was starting it ends";
  launched(0);
  EXPECT_EQ(asked(0), Strings({"eof", "signal 9", "eof", "signal 9"}));
  output(0, Stream::kStderr, "hello?\n");
  exited(0);
  EXPECT_EQ((*this)[0].events, Strings({"failed"}));
  EXPECT_EQ((*this)[0].output_after_end, 0);
}

TEST_F(ScriptedChildren, ALaunchThatAppearsAfterItsChildWasForgottenIsKilled) {
  make();
  ChildTiming timing = kPatient;
  timing.launch = 1ms;
  add(0, ChildKind::kProtocol, timing);
  ASSERT_TRUE(run_until([&] { return (*this)[0].ended(); }));
  children->remove(0);
  EXPECT_FALSE(children->phase(0));
  launched(0);
  EXPECT_EQ(asked(0), Strings({"eof", "signal 9", "signal 9"}));
}

TEST_F(ScriptedChildren, AChildStoppedWhileItWaitsIsNeverLaunchedAndSaysNothing) {
  make(1);
  add(0);
  add(1);
  within([&] { children->stop(1); });
  EXPECT_EQ(children->alive(), 1u);
  launched(0);
  EXPECT_EQ(script.launches.size(), 1u);
  EXPECT_TRUE((*this)[1].events.empty());
}

TEST_F(ScriptedChildren, AnIdThatIsUsedAgainAfterItWaitedIsLaunchedOnce) {
  make(1);
  add(0);
  add(1);
  within([&] {
    children->stop(1);
    children->remove(1);
  });
  add(1);
  launched(0);
  launched(1);
  settle();
  EXPECT_EQ(script.launches.size(), 2u);
  EXPECT_EQ((*this)[1].events, Strings({"created"}));
}

TEST_F(ScriptedChildren, AStopReachesALaunchThatIsUnderWayAtOnceAndOnce) {
  make();
  add(0);
  within([&] { children->stop(0); });
  EXPECT_EQ(asked(0), Strings({"eof", "signal 15"}));
  launched(0);
  EXPECT_EQ(asked(0), Strings({"eof", "signal 15"}));
  exited(0, ExitStatus::signalled(SIGTERM, false));
  EXPECT_EQ((*this)[0].events, Strings({"created", "stopped"}));
}

TEST_F(ScriptedChildren, AKillReachesALaunchThatIsUnderWayAtOnce) {
  make();
  add(0);
  within([&] { children->kill(0); });
  EXPECT_EQ(asked(0), Strings({"eof", "signal 9"}));
  within([&] { script.events.on_failed(script.launches[0].id, Error(Cause::kCancelled, "it was stopped")); });
  settle();
  EXPECT_EQ((*this)[0].events, Strings({"failed"}));
}

TEST_F(ScriptedChildren, ALaunchInAQueueIsNotTimedAndLeavesItsPlaceToOthers) {
  make(1);
  ChildTiming timing = kPatient;
  timing.launch = 1ms;
  add(0, ChildKind::kProtocol, timing);
  within([&] { script.events.on_waiting(script.launches[0].id); });
  add(1, ChildKind::kProtocol, timing);
  ASSERT_TRUE(run_until([&] { return (*this)[1].ended(); }));
  EXPECT_TRUE((*this)[0].events.empty());
  within([&] { script.events.on_placed(script.launches[0].id, "node"); });
  ASSERT_TRUE(run_until([&] { return (*this)[0].ended(); }));
  EXPECT_EQ((*this)[0].error.info().host, "node");
}

TEST_F(ScriptedChildren, StopAsksInWordsWhoeverSaidHello) {
  make();
  add(0);
  run_child(0, 0);
  within([&] { children->stop(0); });
  within([&] { children->stop(0); });
  EXPECT_EQ(said[0], Strings({"start", "stop 0"}));
  EXPECT_TRUE(asked(0).empty());
  exited(0);
  EXPECT_EQ((*this)[0].reasons.at(0).kind, StopReason::Kind::kStopped);
}

TEST_F(ScriptedChildren, AStopEscalatesByTheClock) {
  make();
  ChildTiming timing = kPatient;
  timing.exit = timing.kill = 5ms;
  add(0, ChildKind::kProtocol, timing);
  run_child(0, 0);
  within([&] { children->stop(0); });
  ASSERT_TRUE(run_until([&] { return (*this)[0].ended(); }));
  EXPECT_EQ(said[0], Strings({"start", "stop 0"}));
  EXPECT_EQ(asked(0), Strings({"eof", "signal 15", "eof", "signal 9"}));
  EXPECT_EQ((*this)[0].reasons.at(0).kind, StopReason::Kind::kWatchdog);
  exited(0);
  output(0, Stream::kStdout, "I live");
  EXPECT_EQ((*this)[0].times("stopped"), 1) << "its late exit is no second end";
  EXPECT_EQ((*this)[0].output_after_end, 0);
}

TEST_F(ScriptedChildren, TheShortestDeadlineOfManyIsTheOneThatCounts) {
  make();
  ChildTiming soon = kPatient;
  soon.hello = 5ms;
  for (ChildId id = 0; id < 20; ++id) {
    add(id, ChildKind::kProtocol, id == 13 ? soon : kPatient);
    launched(id);
  }
  ASSERT_TRUE(run_until([&] { return asked(13).size() >= 2; }));
  EXPECT_EQ(asked(13), Strings({"eof", "signal 9"}));
  EXPECT_TRUE(asked(12).empty());
}

TEST_F(ScriptedChildren, HelloBeforeTheLauncherReportsLeadsToTheSameEvents) {
  make();
  add(0);
  EXPECT_TRUE(hello(0));
  EXPECT_TRUE((*this)[0].events.empty());
  EXPECT_TRUE(said[0].empty());
  launched(0);
  started(0);
  EXPECT_EQ(said[0], Strings({"start"}));
  EXPECT_EQ((*this)[0].events, Strings({"created", "running"}));
}

TEST_F(ScriptedChildren, HelloThenGoneBeforeTheLauncherReportsStillEndsOnce) {
  make();
  add(0);
  EXPECT_TRUE(hello(0));
  within([&] { children->disconnected(0, 0, "gone"); });
  launched(0);
  EXPECT_EQ(asked(0), Strings({"eof"}));
  exited(0, ExitStatus::exited(5));
  EXPECT_EQ((*this)[0].events, Strings({"created", "stopped"}));
  EXPECT_EQ((*this)[0].reasons.at(0).code, 5);
}

TEST_F(ScriptedChildren, ASecondHelloIsRefused) {
  make();
  add(0);
  launched(0);
  EXPECT_TRUE(hello(0));
  EXPECT_FALSE(hello(0));
  EXPECT_FALSE(hello(0, 1)) << "of another incarnation";
  EXPECT_FALSE(hello(9)) << "of nobody";
  started(0);
  EXPECT_EQ((*this)[0].events, Strings({"created", "running"}));
}

TEST_F(ScriptedChildren, ARespawnIsANewIncarnationOfTheSameChild) {
  make();
  add(3, ChildKind::kProtocol, kPatient, {.max_restarts = 1, .backoff = 1ms});
  run_child(3, 0);
  exited(0, ExitStatus::exited(1));
  EXPECT_EQ(children->alive(), 1u);
  ASSERT_TRUE(run_until([&] { return script.launches.size() >= 2; }));
  ASSERT_EQ(script.launches.size(), 2u);
  EXPECT_EQ(script.launches[1].request.incarnation, 1u);
  EXPECT_EQ(script.launches[1].request.rank, 3u);
  EXPECT_NE(script.launches[1].id, script.launches[0].id);
  EXPECT_EQ(children->incarnation(3), 1u);
  run_child(3, 1, 1);
  exited(1, ExitStatus::exited(2));
  EXPECT_EQ((*this)[3].events,
            Strings({"created", "running", "respawning", "created", "running", "stopped"}));
  EXPECT_NE((*this)[3].created[0].create_key, (*this)[3].created[1].create_key);
  EXPECT_EQ((*this)[3].created[1].incarnation, 1u);
  EXPECT_EQ(children->alive(), 0u);
}

// A child that respawns at once, and whose second incarnation is being launched.
class Respawned : public ScriptedChildren {
 protected:
  void SetUp() override {
    make();
    add(0, ChildKind::kProtocol, kPatient, {.max_restarts = 5, .backoff = Duration::zero()});
    run_child(0, 0);
    output(0, Stream::kStderr, "of the first\n");
    exited(0, ExitStatus::exited(1));
    settle();
    ASSERT_EQ(script.launches.size(), 2u);
    (*this)[0] = {};
  }
};

TEST_F(Respawned, WhatComesLateFromTheFormerIncarnationIsIgnored) {
  output(0, Stream::kStdout, "late");
  exited(0);
  failed(0);
  within([&] {
    children->disconnected(0, 0, "late");
    children->violated(0, 0, "late");
    children->started(0, 0);
    children->heard(0, 0);
  });
  EXPECT_FALSE(hello(0, 0));
  launched(1);
  EXPECT_EQ((*this)[0].events, Strings({"created"}));
  EXPECT_EQ((*this)[0].out, "");
  EXPECT_TRUE(asked(1).empty());
}

TEST_F(Respawned, TheTailIsOfItsOwnIncarnation) {
  launched(1);
  output(1, Stream::kStderr, "of the second\n");
  exited(1, ExitStatus::exited(2));
  EXPECT_EQ((*this)[0].reasons.at(0).stderr_tail, Strings({"of the second"}));
}

TEST_F(Respawned, AStopForbidsFurtherRespawns) {
  launched(1);
  within([&] { children->stop(0); });
  exited(1, ExitStatus::exited(1));
  settle();
  EXPECT_EQ((*this)[0].events, Strings({"created", "stopped"}));
  EXPECT_EQ(script.launches.size(), 2u);
}

TEST_F(Respawned, AFailedRelaunchIsTheEnd) {
  failed(1);
  settle();
  EXPECT_EQ((*this)[0].events, Strings({"failed"}));
  EXPECT_EQ(children->alive(), 0u);
}

TEST_F(ScriptedChildren, AStopDuringTheBackoffEndsItWithoutAnotherEvent) {
  make();
  add(0, ChildKind::kProtocol, kPatient, {.max_restarts = 5, .backoff = 1h});
  launched(0);
  exited(0, ExitStatus::exited(1));
  EXPECT_EQ((*this)[0].events, Strings({"created", "respawning"}));
  EXPECT_EQ(script.launches.size(), 1u);
  within([&] { children->stop(0); });
  EXPECT_EQ(children->alive(), 0u);
  settle();
  EXPECT_EQ((*this)[0].events, Strings({"created", "respawning"}));
}

TEST_F(ScriptedChildren, OutputComesBeforeTheStoppedOfItsIncarnationAndAfterItsCreated) {
  make();
  add(0, ChildKind::kPlain);
  Strings order;
  when_heard = [&](ChildId) {
    order.push_back((*this)[0].events.empty() ? "?" : (*this)[0].events.back() + ":" + (*this)[0].out);
  };
  // All in one turn, as a launcher may report it.
  report([this](auto& to) {
    const LaunchId id = script.launches[0].id;
    const Bytes bytes{'x'};
    to.on_launched(id, 1, "node");
    to.on_output(id, Stream::kStdout, bytes);
    to.on_exited(id, ExitStatus::exited(0));
  });
  EXPECT_EQ(order, Strings({"created:", "running:", "running:x", "stopped:x"}));
}

TEST_F(ScriptedChildren, TheReasonHasTheLastLinesOfStderr) {
  make();
  add(0, ChildKind::kPlain);
  launched(0);
  output(0, Stream::kStdout, "not this\n");
  output(0, Stream::kStderr, "one\ntwo\nth");
  output(0, Stream::kStderr, "ree\nfour\nfi");
  exited(0, ExitStatus::exited(1));
  EXPECT_EQ((*this)[0].reasons.at(0).stderr_tail, Strings({"three", "four", "fi"}));
  EXPECT_EQ((*this)[0].reasons.at(0).text(), "exited with code 1");
}

TEST_F(ScriptedChildren, APauseHoldsOverRespawns) {
  make();
  add(0, ChildKind::kPlain, kPatient, {.max_restarts = 1, .backoff = Duration::zero()});
  launched(0);
  within([&] {
    children->pause_output(0);
    children->pause_output(0);
  });
  exited(0, ExitStatus::exited(1));
  settle();
  ASSERT_EQ(script.launches.size(), 2u);
  EXPECT_EQ(asked(1), Strings({"pause"}));
  within([&] { children->resume_output(0); });
  EXPECT_EQ(asked(1), Strings({"pause", "resume"}));
}

TEST_F(ScriptedChildren, HeartbeatsGoToThoseWhoRunAndKeepThemAliveWhenAnswered) {
  make();
  ChildTiming timing = kPatient;
  timing.heartbeat = 60ms;
  add(0, ChildKind::kProtocol, timing);
  add(1);
  run_child(1, 1);
  run_child(0, 0);
  when_heard = [&](ChildId id) {
    if (id == 0 && said[0].back() == "heartbeat") children->heard(0, 0);
  };
  // Longer than the silence that would end it.
  ASSERT_TRUE(run_until([&] { return std::count(said[0].begin(), said[0].end(), "heartbeat") >= 6; }));
  EXPECT_EQ((*this)[0].events, Strings({"created", "running"}));
}

// Its owner may be cut off at any moment, and only who has heard one heartbeat knows what it means when none
// comes.
TEST_F(ScriptedChildren, WhoIsCarriedHearsTheFirstHeartbeatTogetherWithTheStart) {
  make();
  ChildTiming unwatched = kPatient;
  unwatched.heartbeat = Duration::zero();
  add(0);
  add(1, ChildKind::kProtocol, unwatched);
  for (const std::size_t index : {0, 1}) {
    report([this, index](auto& to) { to.on_channel(script.launches.at(index).id, UniqueFd()); });
    launched(index);
    EXPECT_TRUE(hello(index));
  }

  EXPECT_EQ(said[0], Strings({"start", "heartbeat"}));
  EXPECT_EQ(said[1], Strings({"start"}));
}

TEST_F(ScriptedChildren, AShorterHeartbeatTimeIsServedAlthoughOthersRunAlready) {
  make();
  add(0);
  run_child(0, 0);  // heartbeats go out every third of an hour
  ChildTiming timing = kPatient;
  timing.heartbeat = 300ms;
  add(1, ChildKind::kProtocol, timing);
  run_child(1, 1);
  ASSERT_TRUE(run_until([&] { return said[1].back() == "heartbeat" || (*this)[1].ended(); }));
  EXPECT_EQ(asked(1), Strings()) << "it was killed for a silence that nobody had broken";
}

TEST_F(ScriptedChildren, SilenceIsTheEnd) {
  make();
  ChildTiming timing = kPatient;
  timing.heartbeat = 20ms;
  add(0, ChildKind::kProtocol, timing);
  run_child(0, 0);
  ASSERT_TRUE(run_until([&] { return asked(0).size() >= 2; }));
  EXPECT_EQ(asked(0), Strings({"eof", "signal 9"}));
  exited(0, ExitStatus::signalled(SIGKILL, false));
  EXPECT_EQ((*this)[0].reasons.at(0).text(), "it gave no sign of life for 20ms");
}

TEST_F(ScriptedChildren, WhoOversleptHimselfForgivesTheSilence) {
  make();
  ChildTiming timing = kPatient;
  timing.heartbeat = 30ms;
  add(0, ChildKind::kProtocol, timing);
  run_child(0, 0);
  // The reactor is held up in a handler for much longer than the heartbeat time.
  reactor().post([] {
    std::promise<void> nobody;
    nobody.get_future().wait_for(200ms);
  });
  when_heard = [&](ChildId) {
    if (said[0].back() == "heartbeat") children->heard(0, 0);
  };
  ASSERT_TRUE(run_until([&] { return std::count(said[0].begin(), said[0].end(), "heartbeat") >= 2; }));
  EXPECT_TRUE(asked(0).empty()) << "it was killed for a silence that was ours";
}

TEST_F(ScriptedChildren, NothingIsDeliveredOnceTheChildrenAreGone) {
  make();
  add(0);
  reactor().post([this] {
    script.events.on_launched(script.launches[0].id, 1, "node");
    children.reset();
  });
  settle();
  EXPECT_TRUE((*this)[0].events.empty());
}

TEST_F(ScriptedChildren, AnEventMayDestroyTheChildren) {
  for (const std::string last : {"created", "running", "output", "stopped"}) {
    make();
    add(0, ChildKind::kPlain);
    when_heard = [&](ChildId) {
      const Record& record = (*this)[0];
      if (record.events.back() == last || (last == "output" && !record.out.empty())) children.reset();
    };
    reactor().post([this] {
      const ChildLauncher::Events to = script.events;
      const LaunchId id = script.launches.back().id;
      const Bytes bytes{'x'};
      to.on_launched(id, 1, "node");
      to.on_output(id, Stream::kStdout, bytes);
      if (children) to.on_exited(id, ExitStatus::exited(0));
    });
    settle();
    EXPECT_FALSE(children) << last;
    (*this)[0] = {};
  }
}

TEST_F(ScriptedChildren, OnlyOneThatHasEndedIsRemoved) {
  make();
  add(0);
  children->remove(0);
  EXPECT_TRUE(children->phase(0));
  launched(0);
  exited(0);
  children->remove(0);
  EXPECT_FALSE(children->phase(0));
  children->remove(0);
  children->stop(0);
  children->kill(0);
  add(0);
  EXPECT_EQ(script.launches.size(), 2u) << "its id is free again";
}

TEST_F(ScriptedChildren, ALauncherThatCannotBeMadeIsTheError) {
  auto made = Children::make(
      reactor(),
      [](const ChildLauncher::Events&) -> Result<std::unique_ptr<ChildLauncher>> {
        return Error(Cause::kPlugin, "no");
      },
      1, events());
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().cause(), Cause::kPlugin);
}

}  // namespace
}  // namespace hostmesh::test
