#include "hostmesh/alloc/child_machine.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <random>

#include "alloc/recorder.hpp"

namespace hostmesh::test {
namespace {

using Kind = StopReason::Kind;

// The reason when a child to whom this happened is ended by a signal.
StopReason reason_after(const std::vector<std::string_view>& events) {
  Bench bench;
  bench.all(events);
  bench.machine.exited(ExitStatus::signalled(SIGKILL, false));
  return bench.actions.reason;
}

TEST(ChildMachine, HelloTwiceKeepsTheFirstConnection) {
  Bench bench;
  bench.all({"launched", "hello"});
  ASSERT_TRUE(bench.welcome);
  EXPECT_EQ(bench.on("hello"), "");
  EXPECT_FALSE(bench.welcome);
  EXPECT_EQ(bench.machine.phase(), ChildPhase::kConnected);
}

TEST(ChildMachine, HelloIsRefusedOnceItsConnectionWasLost) {
  Bench bench;
  bench.all({"launched", "hello", "disconnected", "hello"});
  EXPECT_FALSE(bench.welcome);
}

TEST(ChildMachine, HelloBeforeTheLauncherReportsIsWelcomeAndWaits) {
  Bench bench;
  EXPECT_EQ(bench.on("hello"), "");
  EXPECT_TRUE(bench.welcome);
  EXPECT_EQ(bench.on("launched"), "created start");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.start, bench.now));
}

TEST(ChildMachine, ABreachBeforeTheLauncherReportsIsCreatedAndStoppedLikeAnyOther) {
  Bench bench;
  bench.on("hello");
  EXPECT_EQ(bench.on("violated"), "eof KILL");
  EXPECT_EQ(bench.on("launched"), "created eof KILL");
  EXPECT_EQ(bench.on("exited"), "stopped");
  EXPECT_EQ(bench.actions.reason.text(), "it broke the protocol: it lied");
}

TEST(ChildMachine, HelloAfterStopIsToldToStop) {
  Bench bench;
  bench.all({"launched", "stop"});
  EXPECT_EQ(bench.on("hello"), "stop");
  EXPECT_TRUE(bench.welcome);
  EXPECT_EQ(bench.on("started"), "");
}

TEST(ChildMachine, APlainCommandIsNoGuestOfTheProtocol) {
  Bench bench(ChildKind::kPlain);
  EXPECT_EQ(bench.on("launched"), "created running");
  bench.on("hello");
  EXPECT_FALSE(bench.welcome);
}

TEST(ChildMachine, TheStepsOfAStopAreWordsThenTermThenKillThenGivingUp) {
  Bench bench;
  bench.all({"launched", "hello", "started"});
  EXPECT_EQ(bench.on("stop"), "stop");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.exit, bench.now));
  EXPECT_EQ(bench.on("deadline"), "eof TERM");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.kill, bench.now));
  EXPECT_EQ(bench.on("deadline"), "eof KILL");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.kill, bench.now));
  EXPECT_EQ(bench.on("deadline"), "stopped");
  EXPECT_EQ(bench.actions.reason.kind, Kind::kWatchdog);
  EXPECT_EQ(bench.actions.reason.detail,
            "it was told to stop and did not exit within 5s; it was sent SIGKILL and did not end within 3s");
}

TEST(ChildMachine, AGraceReplacesTheTimeUntilTermOrForThoseWithoutWordsUntilKill) {
  Bench asked;
  asked.all({"launched", "hello", "started"});
  asked.machine.stop(asked.now, 100ms);
  EXPECT_EQ(asked.machine.deadline(), Deadline::after(100ms, asked.now));
  EXPECT_EQ(asked.actions.take(), "stop");

  Bench signalled(ChildKind::kPlain);
  signalled.on("launched");
  signalled.machine.stop(signalled.now, 100ms);
  EXPECT_EQ(signalled.machine.deadline(), Deadline::after(100ms, signalled.now));
  EXPECT_EQ(signalled.actions.take(), "eof TERM");
  EXPECT_EQ(signalled.on("deadline"), "eof KILL");
}

TEST(ChildMachine, ALaterStopShortensTheGraceButNeverProlongsIt) {
  Bench bench;
  bench.all({"launched", "hello", "started", "stop"});
  bench.machine.stop(bench.now, 1s);
  const Deadline shortened = bench.machine.deadline();
  EXPECT_EQ(shortened, Deadline::after(1s, bench.now));
  bench.machine.stop(bench.now, 1h);
  EXPECT_EQ(bench.machine.deadline(), shortened);
  EXPECT_EQ(bench.actions.take(), "") << "it was told once";
}

TEST(ChildMachine, AGraceGivenDuringTheLaunchHoldsAfterIt) {
  Bench bench;
  bench.machine.stop(bench.now, 1s);
  bench.machine.stop(bench.now, 200ms);
  bench.machine.stop(bench.now);
  const Deadline kill = Deadline::after(200ms, bench.now);
  EXPECT_EQ(bench.actions.take(), "eof TERM") << "the launch hears of it once";
  EXPECT_EQ(bench.on("launched"), "created");
  EXPECT_EQ(bench.machine.deadline(), kill);
  EXPECT_EQ(bench.on("deadline"), "eof KILL");
}

TEST(ChildMachine, ALaunchThatIgnoresItsCancellationIsGivenUp) {
  Bench bench;
  EXPECT_EQ(bench.on("stop"), "eof TERM");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.kill, bench.now));
  EXPECT_EQ(bench.on("deadline"), "eof KILL");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.kill, bench.now));
  EXPECT_EQ(bench.on("deadline"), "failed");
  EXPECT_EQ(bench.actions.error.cause(), Cause::kCancelled);
  EXPECT_EQ(bench.actions.error.info().message, "the launch was cancelled and did not end within 3s");
  EXPECT_EQ(bench.on("launched"), "eof KILL") << "one that appears after all has to go";
}

TEST(ChildMachine, AQueueStopsTheClockOfALaunchAndAPlaceStartsItAnew) {
  Bench bench;
  bench.on("waiting");
  EXPECT_TRUE(bench.machine.deadline().is_never());
  bench.on("placed");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.launch, bench.now));
}

TEST(ChildMachine, SignsOfLifeMoveTheDeadlineOnlyWhileItRuns) {
  Bench bench;
  bench.on("launched");
  const Deadline hello = bench.machine.deadline();
  EXPECT_EQ(hello, Deadline::after(kTiming.hello, bench.now));
  bench.on("heard");
  EXPECT_EQ(bench.machine.deadline(), hello);
  bench.all({"hello", "started"});
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.heartbeat, bench.now));
  bench.on("heard");
  EXPECT_EQ(bench.machine.deadline(), Deadline::after(kTiming.heartbeat, bench.now));
  bench.on("stop");
  const Deadline exit = bench.machine.deadline();
  bench.on("heard");
  EXPECT_EQ(bench.machine.deadline(), exit) << "a heartbeat does not put off the end";
}

TEST(ChildMachine, WithoutAHeartbeatTimeNobodyIsSilentForTooLong) {
  ChildTiming timing = kTiming;
  timing.heartbeat = Duration::zero();
  Bench bench(ChildKind::kProtocol, timing);
  bench.all({"launched", "hello", "started"});
  EXPECT_TRUE(bench.machine.deadline().is_never());
  bench.on("heard");
  EXPECT_TRUE(bench.machine.deadline().is_never());
}

TEST(ChildMachine, AnAlarmThatComesEarlyDoesNothing) {
  Bench bench;
  bench.on("launched");
  bench.machine.deadline_passed(bench.now);
  EXPECT_EQ(bench.actions.take(), "");
  EXPECT_EQ(bench.machine.phase(), ChildPhase::kCreated);
}

TEST(ChildMachine, EachPhaseThatTakesTooLongHasItsOwnReason) {
  const std::vector<std::pair<std::vector<std::string_view>, std::string_view>> cases{
      {{"launched", "deadline"}, "it did not say Hello within 20s"},
      {{"launched", "hello", "deadline"}, "it said Hello but did not start its proc within 30s"},
      {{"launched", "hello", "started", "deadline"}, "it gave no sign of life for 40s"},
      {{"launched", "hello", "started", "stop", "deadline"},
       "it was told to stop and did not exit within 5s"},
      {{"launched", "hello", "disconnected", "deadline"},
       "it closed its connection (end of file) and did not exit within 5s"},
      {{"launched", "started"}, "it broke the protocol: it said StartedProc before StartProc"},
      {{"launched", "hello", "started", "started"}, "it broke the protocol: it said StartedProc twice"},
      {{"launched", "violated"}, "it broke the protocol: it lied"},
  };
  for (const auto& [events, text] : cases) {
    const StopReason reason = reason_after(events);
    EXPECT_EQ(reason.text(), text);
    EXPECT_EQ(reason.kind, Kind::kWatchdog);
    EXPECT_EQ(reason.signal, SIGKILL) << "what the status adds is kept";
  }
}

// Nobody here can tell whether it is the child, its machine or the way there.
TEST(ChildMachine, TheSilenceOfAChildOnAnotherMachineIsItsHosts) {
  const std::vector<std::pair<std::vector<std::string_view>, Kind>> cases{
      {{"carried", "launched", "deadline"}, Kind::kHostWatchdog},
      {{"carried", "launched", "hello", "deadline"}, Kind::kHostWatchdog},
      {{"launched", "carried", "hello", "started", "deadline"}, Kind::kHostWatchdog},
      {{"carried", "launched", "hello", "started", "stop", "deadline"}, Kind::kHostWatchdog},
      // These are about something that was heard or seen.
      {{"carried", "launched", "hello", "disconnected", "deadline"}, Kind::kWatchdog},
      {{"carried", "launched", "violated"}, Kind::kWatchdog},
  };
  for (const auto& [events, kind] : cases) {
    const StopReason reason = reason_after(events);
    EXPECT_EQ(reason.kind, kind) << reason.text();
  }
  EXPECT_EQ(reason_after({"carried", "launched", "hello", "started", "deadline"}).text(),
            "it gave no sign of life for 40s: frozen, off or cut off");
}

TEST(ChildMachine, ALaunchThatTakesTooLongIsAFailureThatSaysSo) {
  Bench bench;
  EXPECT_EQ(bench.on("deadline"), "eof KILL failed");
  EXPECT_EQ(bench.actions.error.cause(), Cause::kTimeout);
  EXPECT_NE(bench.actions.error.text().find("LAUNCH_TIMEOUT"), std::string::npos) << "what to change";
  EXPECT_EQ(bench.actions.error.info().phase, "launch");
  EXPECT_EQ(bench.actions.error.info().message, "the process was not started within 10s");
}

TEST(ChildMachine, TheFirstReasonThatIsKnownWins) {
  const StopReason reason =
      reason_after({"launched", "hello", "started", "deadline", "violated", "disconnected", "stop", "kill"});
  EXPECT_EQ(reason.text(), "it gave no sign of life for 40s");
}

TEST(ChildMachine, AConnectionThatEndsJustBeforeItsProcessIsNoReason) {
  Bench bench;
  bench.all({"launched", "hello", "started", "disconnected", "exited"});
  EXPECT_EQ(bench.actions.reason.kind, Kind::kExited);
  EXPECT_EQ(bench.actions.reason.code, 7);
}

TEST(ChildMachine, AnOrderlyStopIsReportedAsTheStatusSays) {
  Bench bench;
  bench.all({"launched", "hello", "started", "stop"});
  bench.machine.exited(ExitStatus::exited(0));
  EXPECT_EQ(bench.actions.reason, StopReason{.kind = Kind::kStopped});
}

TEST(ChildMachine, ALauncherThatLosesARunningChildGivesItsWordsForTheReason) {
  Bench bench;
  bench.all({"launched", "hello", "started", "failed"});
  EXPECT_EQ(bench.actions.reason.kind, Kind::kUnknown);
  EXPECT_NE(bench.actions.reason.text().find("no such program"), std::string::npos);
}

// The rules that hold whatever happens, watched over from outside.
class Rules final : public ChildActions {
 public:
  void send_start() override { count(starts); }
  void send_stop() override { count(ends); }
  void close_lifeline() override {
    EXPECT_TRUE(!ended() || late_launch) << "a lifeline of somebody who has ended";
  }
  void signal(int number) override {
    if (created_ == 0 && !late_launch) {
      EXPECT_TRUE(number == SIGTERM || number == SIGKILL) << "no cancellation";
    }
    EXPECT_TRUE(!ended() || (late_launch && number == SIGKILL)) << "signal " << number << " after the end";
  }
  void created() override {
    EXPECT_FALSE(ended());
    EXPECT_EQ(++created_, 1);
  }
  void running() override {
    EXPECT_FALSE(ended());
    EXPECT_EQ(created_, 1);
    EXPECT_EQ(++running_, 1);
  }
  void stopped(const StopReason&) override {
    EXPECT_FALSE(ended());
    EXPECT_EQ(created_, 1) << "stopped, but never created";
    ++stopped_;
  }
  void failed(const Error&) override {
    EXPECT_FALSE(ended());
    EXPECT_EQ(created_, 0) << "both created and failed";
    ++failed_;
  }
  bool ended() const { return stopped_ + failed_ > 0; }

  bool late_launch = false;
  int starts = 0;
  int ends = 0;

 private:
  void count(int& what) {
    EXPECT_FALSE(ended()) << "words for somebody who has ended";
    ++what;
  }
  int created_ = 0;
  int running_ = 0;
  int stopped_ = 0;
  int failed_ = 0;
};

void live_a_random_life(std::uint32_t seed) {
  std::mt19937 random(seed);
  const ChildKind kind = random() % 4 == 0 ? ChildKind::kPlain : ChildKind::kProtocol;
  ChildTiming timing = kTiming;
  if (random() % 4 == 0) timing.heartbeat = Duration::zero();
  TimePoint now{std::chrono::hours(1)};
  Rules rules;
  ChildMachine machine(kind, timing, rules, now);
  ChildPhase reached = machine.phase();
  for (int step = 0; step < 24; ++step) {
    now += std::chrono::milliseconds(random() % 15'000);
    rules.late_launch = false;
    switch (random() % 14) {
      case 0:
      case 1:
        rules.late_launch = machine.ended();
        machine.launched(now);
        break;
      case 2:
        machine.launch_failed(Error(Cause::kSpawnFailed, "no"));
        break;
      case 3:
        if (random() % 4 == 0) machine.exited(ExitStatus::exited(0));
        break;
      case 4:
        machine.hello(now);
        break;
      case 5:
        machine.started(now);
        break;
      case 6:
        machine.heard(now);
        break;
      case 7:
        machine.disconnected("gone", now);
        break;
      case 8:
        machine.violated("lied", now);
        break;
      case 9:
        machine.stop(now, random() % 2 == 0 ? std::optional<Duration>(1s) : std::nullopt);
        break;
      case 10:
        machine.kill(now);
        break;
      case 11:
        machine.waiting();
        break;
      case 12:
        machine.placed(now);
        break;
      default:
        machine.deadline_passed(now);
        break;
    }
    // A launch may wait in a queue, and be placed, any number of times.
    const ChildPhase phase = std::max(machine.phase(), ChildPhase::kLaunching);
    EXPECT_GE(phase, reached) << "a step back";
    reached = phase;
    EXPECT_EQ(machine.ended(), rules.ended());
    const bool may_wait =
        machine.ended() || (machine.phase() == ChildPhase::kRunning &&
                            (kind == ChildKind::kPlain || timing.heartbeat == Duration::zero()));
    if (machine.phase() == ChildPhase::kWaiting) continue;
    EXPECT_EQ(machine.deadline().is_never(), may_wait) << "phase " << to_string(machine.phase());
  }
  EXPECT_LE(rules.starts, 1);
  EXPECT_LE(rules.ends, 1) << "told to stop more than once";
  // Whatever it was, it comes to its end by the clock alone once it is told to.
  machine.stop(now);
  for (int step = 0; step < 8 && !machine.ended(); ++step) machine.deadline_passed(machine.deadline().when());
  EXPECT_TRUE(machine.ended()) << "it would be waited for without end";
}

TEST(ChildMachine, NoOrderOfEventsBreaksTheRules) {
  for (std::uint32_t seed = 0; seed < 50'000; ++seed) {
    live_a_random_life(seed);
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace hostmesh::test
