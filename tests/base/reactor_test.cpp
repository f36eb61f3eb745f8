#include "hostmesh/base/reactor.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace hostmesh {
namespace {

using namespace std::chrono_literals;

constexpr Duration kSoon = 1ms;
constexpr Duration kLater = 60s;  // further away than any test lasts

TEST(Reactor, RunsWhatIsPostedInOrderAndNotInsidePost) {
  Reactor reactor;
  std::vector<int> order;
  reactor.post([&] {
    reactor.post([&] {
      order.push_back(3);
      reactor.stop();
    });
    order.push_back(1);
  });
  reactor.post([&] { order.push_back(2); });
  EXPECT_TRUE(order.empty());
  reactor.run();
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Reactor, KnowsItsThread) {
  Reactor reactor;
  EXPECT_FALSE(reactor.on_thread());
  bool inside = false;
  reactor.post([&] {
    inside = reactor.on_thread();
    reactor.stop();
  });
  std::thread thread([&] { reactor.run(); });
  thread.join();
  EXPECT_TRUE(inside);
  EXPECT_FALSE(reactor.on_thread());
}

TEST(Reactor, RunsAgainAfterItWasStopped) {
  Reactor reactor;
  int runs = 0;
  for (int i = 0; i < 2; ++i) {
    reactor.post([&] {
      ++runs;
      reactor.stop();
    });
    reactor.run();
  }
  EXPECT_EQ(runs, 2);
}

TEST(Reactor, WhatWasPostedAndNeverRanIsDestroyed) {
  const auto token = std::make_shared<int>(0);
  {
    Reactor reactor;
    reactor.post([token] { FAIL() << "ran"; });
    EXPECT_EQ(token.use_count(), 2);
  }
  EXPECT_EQ(token.use_count(), 1);
}

TEST(Timer, RingsOnceAndThenAgainWhenSetAgain) {
  Reactor reactor;
  Timer timer(reactor);
  int rings = 0;
  timer.after(kSoon, [&] {
    ++rings;
    timer.after(kSoon, [&] {
      ++rings;
      reactor.stop();
    });
  });
  reactor.run();
  EXPECT_EQ(rings, 2);
}

TEST(Timer, ADeadlineThatHasPassedRingsAtOnce) {
  Reactor reactor;
  Timer timer(reactor);
  timer.at(Deadline(Clock::now() - 1s), [&] { reactor.stop(); });
  reactor.run();
}

TEST(Timer, SettingItAgainReplacesWhatWasPending) {
  Reactor reactor;
  Timer timer(reactor);
  bool first = false;
  timer.after(Duration::zero(), [&] { first = true; });
  timer.after(kSoon, [&] { reactor.stop(); });
  reactor.run();
  EXPECT_FALSE(first);
}

TEST(Timer, ACancelledOrDestroyedOneNeverRings) {
  Reactor reactor;
  Timer cancelled(reactor);
  std::optional<Timer> destroyed(std::in_place, reactor);
  Timer last(reactor);
  bool rang = false;
  // Given two alarms that are due, so that their handlers are queued when they are called off.
  cancelled.after(Duration::zero(), [&] { rang = true; });
  destroyed->after(Duration::zero(), [&] { rang = true; });
  cancelled.cancel();
  destroyed.reset();
  last.after(kSoon, [&] { reactor.stop(); });
  reactor.run();
  EXPECT_FALSE(rang);
}

TEST(Timer, MayBeDestroyedByItsOwnAlarm) {
  Reactor reactor;
  auto timer = std::make_unique<Timer>(reactor);
  timer->after(kSoon, [&] {
    timer.reset();
    reactor.stop();
  });
  reactor.run();
  EXPECT_EQ(timer, nullptr);
}

TEST(Timer, NeverIsNoAlarmAndKeepsNothingAlive) {
  Reactor reactor;
  const auto token = std::make_shared<int>(0);
  Timer timer(reactor);
  timer.at(Deadline::never(), [token] {});
  EXPECT_EQ(token.use_count(), 1);
  timer.after(kLater, [token] {});
  EXPECT_EQ(token.use_count(), 2);
  timer.cancel();
  EXPECT_EQ(token.use_count(), 1);
}

}  // namespace
}  // namespace hostmesh
