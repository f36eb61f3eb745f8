#include "hostmesh/alloc/alloc.hpp"

#include <gtest/gtest.h>

#include <future>
#include <thread>

#include "support/leaks.hpp"

namespace hostmesh::test {
namespace {

using namespace std::chrono_literals;

constexpr Duration kHang = 60s;

ProcState created(Rank rank) {
  return ProcCreated{.rank = rank};
}

Rank rank_of(const Result<std::optional<ProcState>>& state) {
  if (!state || !*state) return 999;
  return std::get<ProcCreated>(**state).rank;
}

TEST(ProcStateQueue, GivesEventsInTheirOrder) {
  ProcStateQueue queue;
  for (const Rank rank : {2, 0, 1}) queue.push(created(rank));
  for (const Rank rank : {2, 0, 1}) EXPECT_EQ(rank_of(queue.next(Deadline::never())), rank);
}

TEST(ProcStateQueue, AnEmptyOneIsATimeoutAndNotAnEnd) {
  ProcStateQueue queue;
  const auto nothing = queue.next(Deadline::after(1ms));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().cause(), Cause::kTimeout);
  queue.push(created(4));
  EXPECT_EQ(rank_of(queue.next(Deadline::after(Duration::zero()))), 4u) << "what is there needs no time";
}

TEST(ProcStateQueue, AfterTheEndComesOnlyTheEnd) {
  ProcStateQueue queue;
  queue.push(created(1));
  queue.close();
  queue.push(created(2));
  queue.close();
  EXPECT_TRUE(queue.closed());
  EXPECT_EQ(rank_of(queue.next(Deadline::never())), 1u) << "what was said before the end is kept";
  for (int again = 0; again < 3; ++again) {
    const auto end = queue.next(Deadline::after(Duration::zero()));
    ASSERT_TRUE(end);
    EXPECT_FALSE(end->has_value());
  }
}

TEST(ProcStateQueue, TheEndWakesEveryoneWhoWaits) {
  const LeakCheck leaks;
  {
    ProcStateQueue queue;
    std::vector<std::future<bool>> waiting;
    waiting.reserve(3);
    for (int i = 0; i < 3; ++i) {
      waiting.push_back(std::async(std::launch::async, [&queue] {
        const auto end = queue.next(Deadline::never());
        return end && !end->has_value();
      }));
    }
    queue.close();
    for (auto& each : waiting) {
      ASSERT_EQ(each.wait_for(kHang), std::future_status::ready);
      EXPECT_TRUE(each.get());
    }
  }
  leaks.check();
}

TEST(ProcStateQueue, EventsFromAnotherThreadArriveOnceEachAndInOrder) {
  constexpr Rank kEvents = 5000;
  ProcStateQueue queue;
  std::thread producer([&queue] {
    for (Rank rank = 0; rank < kEvents; ++rank) queue.push(created(rank));
    queue.close();
  });
  Rank expected = 0;
  while (true) {
    const auto state = queue.next(Deadline::after(kHang));
    ASSERT_TRUE(state);
    if (!*state) break;
    ASSERT_EQ(rank_of(state), expected++);
  }
  producer.join();
  EXPECT_EQ(expected, kEvents);
}

Extent extent(std::vector<std::string> labels, std::vector<std::size_t> sizes) {
  return *Extent::make(std::move(labels), std::move(sizes));
}

TEST(AllocSpec, AnExtentWithoutRanksIsRefusedByName) {
  const auto refused = validate({.extent = extent({"hosts", "gpus"}, {2, 0})});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause(), Cause::kInvalidArgument);
  EXPECT_NE(refused.error().text().find("has no ranks"), std::string::npos) << refused.error().text();
}

TEST(AllocSpec, AnExtentWithoutDimensionsHasOneRank) {
  EXPECT_TRUE(validate({.extent = Extent()}));
  EXPECT_TRUE(validate({.extent = extent({"hosts"}, {3})}));
}

TEST(AllocSpec, ANameThatIsNoIdentifierIsRefusedWithIt) {
  for (const std::string name : {"", "a b", "a/b", "a,b", "a@b", "3a", "caf\xC3\xA9"}) {
    const auto refused = validate({.extent = Extent(), .proc_name = name});
    ASSERT_FALSE(refused) << name;
    EXPECT_EQ(refused.error().cause(), Cause::kInvalidArgument);
    EXPECT_NE(refused.error().text().find("'" + name + "'"), std::string::npos);
  }
  EXPECT_TRUE(validate({.extent = Extent(), .proc_name = "worker_2"}));
}

TEST(ChildTimingFromConfig, TakesEachTimeFromItsAttribute) {
  Config config;
  config.set(ConfigLayer::kRuntime, attribute::kLaunchTimeout, 1s);
  config.set(ConfigLayer::kRuntime, attribute::kHelloTimeout, 2s);
  config.set(ConfigLayer::kRuntime, attribute::kStartTimeout, 3s);
  config.set(ConfigLayer::kRuntime, attribute::kHeartbeatTimeout, 4s);
  config.set(ConfigLayer::kRuntime, attribute::kProcessExitTimeout, 5s);
  config.set(ConfigLayer::kRuntime, attribute::kKillTimeout, 6s);
  EXPECT_EQ(ChildTiming::from(config),
            (ChildTiming{.launch = 1s, .hello = 2s, .start = 3s, .heartbeat = 4s, .exit = 5s, .kill = 6s}));
}

TEST(StopReason, SaysWhatTheExitStatusSaid) {
  using Kind = StopReason::Kind;
  EXPECT_EQ(StopReason::from(ExitStatus::exited(0)).kind, Kind::kStopped);
  const StopReason exited = StopReason::from(ExitStatus::exited(3));
  EXPECT_EQ(exited.kind, Kind::kExited);
  EXPECT_EQ(exited.text(), "exited with code 3");
  const StopReason killed = StopReason::from(ExitStatus::signalled(11, true));
  EXPECT_EQ(killed.kind, Kind::kKilled);
  EXPECT_EQ(killed.text(), "killed by signal 11 (SEGV), core dumped");
  const StopReason unknown = StopReason::from(ExitStatus::unknown("its node is gone"));
  EXPECT_EQ(unknown.kind, Kind::kUnknown);
  EXPECT_EQ(unknown.text(), "exit status unknown: its node is gone");
}

TEST(StopReason, NamesAreDistinctAndStable) {
  using Kind = StopReason::Kind;
  EXPECT_EQ(StopReason::name(Kind::kStopped), "stopped");
  EXPECT_EQ(StopReason::name(Kind::kExited), "exited");
  EXPECT_EQ(StopReason::name(Kind::kKilled), "killed");
  EXPECT_EQ(StopReason::name(Kind::kWatchdog), "watchdog");
  EXPECT_EQ(StopReason::name(Kind::kHostWatchdog), "host_watchdog");
  EXPECT_EQ(StopReason::name(Kind::kUnknown), "unknown");
}

}  // namespace
}  // namespace hostmesh::test
