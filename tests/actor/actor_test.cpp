// Turns, threads, order.
#include <atomic>

#include "actor/support.hpp"
#include "hostmesh/base/fault.hpp"

namespace hostmesh {
namespace {

using namespace test;

class Actors : public ::testing::Test {
 protected:
  Node node_{"node"};
  Proc& proc_ = node_.proc(ProcId::ranked("node", 0));
  Client client_{proc_, "client"};
};

struct Numbered {
  std::uint32_t thread = 0;
  std::uint32_t number = 0;
};
class Order : public Actor {
 public:
  using Handles = Messages<Numbered, Read>;
  void handle(Context&, const Numbered& message) {
    if (message.number != next_.at(message.thread)++) in_order_ = false;
    ++count_;
  }
  // How many there were, or -1 if one came out of order.
  std::int64_t handle(Context&, const Read&) { return in_order_ ? count_ : -1; }

 private:
  std::array<std::uint32_t, 4> next_{};
  bool in_order_ = true;
  std::int64_t count_ = 0;
};

TEST_F(Actors, ReceiveInOrderFromEachOfManyThreads) {
  constexpr std::uint32_t kEach = 25000;
  const auto order = value_or_throw(proc_.spawn("order", std::make_unique<Order>()));
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint32_t number = 0; number < kEach; ++number) client_.send(order, Numbered{thread, number});
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(client_.call(order, Read{}, soon()), 4 * kEach);
}

// A refusal is given while the router is in the middle of what others left for it.
TEST_F(Actors, ReceiveInOrderWhileOtherMessagesAreRefused) {
  constexpr std::uint32_t kEach = 5000;
  const auto order = value_or_throw(proc_.spawn("order", std::make_unique<Order>()));
  const auto nobody = ActorRef<Counter>::attest(ActorId{proc_.id(), "nobody", 0});
  std::vector<std::thread> threads;
  for (std::uint32_t thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (std::uint32_t number = 0; number < kEach; ++number) {
        client_.call_async(nobody, Read{}, Deadline::never(), [](const Result<std::int64_t>&) {});
        client_.send(order, Numbered{thread, number});
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(client_.call(order, Read{}, soon()), 4 * kEach);
}

TEST_F(Actors, OnWorkersRunInParallelWithEachOther) {
  // Each waits for the other, inside a handler: possible only if both run at once.
  Gate first, second;
  Record<bool> met;
  const auto spawn = [&](const char* name, Gate& mine, Gate& theirs) {
    return value_or_throw(proc_.spawn(name, std::make_unique<Scripted>([&](Context&, std::uint64_t) {
                                        mine.open();
                                        met.add(theirs.wait());
                                      })));
  };
  client_.send(spawn("first", first, second), Do{});
  client_.send(spawn("second", second, first), Do{});
  ASSERT_TRUE(met.wait(2));
  EXPECT_EQ(met.get(), (std::vector<bool>{true, true}));
}

TEST_F(Actors, OnWorkersRunOneTurnAtATime) {
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  const auto actor =
      value_or_throw(proc_.spawn("one", std::make_unique<Scripted>([&](Context&, std::uint64_t) {
                                   if (++inside != 1) overlapped = true;
                                   std::this_thread::yield();
                                   --inside;
                                 })));
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) client_.send(actor, Do{});
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_TRUE(wait_for([&](auto done) { proc_.stop_actor(actor.id(), soon(), done); }));
  EXPECT_FALSE(overlapped);
}

TEST_F(Actors, ThatBlockDoNotHoldUpSystemActors) {
  Gate release;
  Record<bool> released;
  std::vector<ActorRef<Scripted>> blocked;
  for (int i = 0; i < 6; ++i) {  // more than there are workers
    blocked.push_back(value_or_throw(proc_.spawn(
        "blocked" + std::to_string(i),
        std::make_unique<Scripted>([&](Context&, std::uint64_t) { released.add(release.wait()); }))));
    client_.send(blocked.back(), Do{});
  }
  const auto system = value_or_throw(
      proc_.spawn("system", std::make_unique<Counter>(3), {.where = Where::kReactor, .owner = {}}));
  EXPECT_EQ(client_.call(system, Read{}, soon()), 3);
  release.open();
  EXPECT_TRUE(released.wait(6));
}

TEST_F(Actors, MayCallOthersFromAWorkerAndBlock) {
  const auto counter = value_or_throw(
      proc_.spawn("counter", std::make_unique<Counter>(5), {.where = Where::kReactor, .owner = {}}));
  Record<std::int64_t> answers;
  const auto caller =
      value_or_throw(proc_.spawn("caller", std::make_unique<Scripted>([&](Context&, std::uint64_t) {
                                   answers.add(client_.call(counter, Read{}, soon()));
                                 })));
  client_.send(caller, Do{});
  ASSERT_TRUE(answers.wait(1));
  EXPECT_EQ(answers.get().front(), 5);
}

TEST_F(Actors, StartThreadsWithTheFirstUserActorOnly) {
  const auto system = value_or_throw(
      proc_.spawn("system", std::make_unique<Counter>(3), {.where = Where::kReactor, .owner = {}}));
  EXPECT_EQ(client_.call(system, Read{}, soon()), 3);
  EXPECT_EQ(node_.system().workers().started(), 0U);
  const auto user = value_or_throw(proc_.spawn("user", std::make_unique<Counter>(4)));
  EXPECT_EQ(client_.call(user, Read{}, soon()), 4);
  EXPECT_GE(node_.system().workers().started(), 1U);
}

TEST_F(Actors, OfASystemAnswerACallWithTheExceptionAndLiveOn) {
  const auto agent = value_or_throw(proc_.spawn(
      "agent", std::make_unique<Counter>(3),
      {.where = Where::kReactor, .owner = {}, .on_exception = SpawnOptions::OnException::kEndsMessage}));
  try {
    client_.call(agent, FailCalled{"no such luck"}, soon());
    FAIL() << "it has answered";
  } catch (const Error& error) {
    EXPECT_EQ(error.cause(), Cause::kRemote);
    EXPECT_NE(error.text().find("no such luck"), std::string::npos) << error.text();
  }
  client_.send(agent, Fail{"in a cast"});
  EXPECT_EQ(client_.call(agent, Read{}, soon()), 3);
}

TEST_F(Actors, ForWhichThereIsNoThreadAreNotSpawnedAndLaterOnesAre) {
  fault::set_plan("client:thread:1");
  const auto refused = proc_.spawn("first", std::make_unique<Counter>(3));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause(), Cause::kResourceLimit) << refused.error().text();
  EXPECT_EQ(refused.error().info().phase, "spawn");
  const auto next = value_or_throw(proc_.spawn("next", std::make_unique<Counter>(4)));
  const std::size_t started = node_.system().workers().started();
  fault::set_plan("client:thread:1+");
  // One that blocks, and no thread for the other: it waits its turn.
  Gate release;
  Record<bool> released;
  const auto blocked = value_or_throw(proc_.spawn(
      "blocked", std::make_unique<Scripted>([&](Context&, std::uint64_t) { released.add(release.wait()); })));
  client_.send(blocked, Do{});
  release.open();
  EXPECT_EQ(client_.call(next, Read{}, soon()), 4);
  EXPECT_TRUE(released.wait(1));
  EXPECT_EQ(node_.system().workers().started(), started);
  fault::set_plan("");
}

TEST_F(Actors, ShareTheirThreadFairly) {
  Config config;
  config.set(ConfigLayer::kTestOverride, attribute::kWorkerThreads, 1);
  Node node("single", {}, std::move(config));
  Proc& proc = node.proc(ProcId::ranked("single", 0));
  Client client(proc, "client");
  // One that always has something to do, and one that needs a turn to end it.
  std::atomic<bool> enough{false};
  Gate ended;
  const auto busy =
      value_or_throw(proc.spawn("busy", std::make_unique<Scripted>([&](Context& context, std::uint64_t) {
                                  if (enough) {
                                    ended.open();
                                  } else {
                                    context.post_self(Do{});
                                  }
                                })));
  client.send(busy, Do{});
  const auto other = value_or_throw(
      proc.spawn("other", std::make_unique<Scripted>([&](Context&, std::uint64_t) { enough = true; })));
  client.send(other, Do{});
  EXPECT_TRUE(ended.wait());
}

TEST_F(Actors, KnowWhoSent) {
  Record<std::string> senders;
  const auto actor = value_or_throw(proc_.spawn(
      "knows",
      std::make_unique<Scripted>([&](Context& context, auto) { senders.add(context.sender().text()); })));
  client_.send(actor, Do{});
  ASSERT_TRUE(senders.wait(1));
  EXPECT_EQ(senders.get().front(), client_.id().text());
}

TEST_F(Actors, TakeWorkFromElsewhereInTheirTurns) {
  Record<std::uint64_t> order;
  std::promise<std::function<void(std::function<void()>)>> door;
  const auto actor = value_or_throw(proc_.spawn(
      "doors",
      std::make_unique<Scripted>([&](Context& context, auto) { door.set_value(context.in_turn()); })));
  client_.send(actor, Do{});
  const auto in_turn = door.get_future().get();
  in_turn([&] { order.add(1); });
  ASSERT_TRUE(order.wait(1));
  ASSERT_TRUE(wait_for([&](auto done) { proc_.stop_actor(actor.id(), soon(), done); }));
  in_turn([&] { order.add(2); });
  node_.call([] {});
  EXPECT_EQ(order.get().size(), 1U);
}

class Hears : public Actor {
 public:
  using Handles = Messages<Do>;
  Hears(ActorRef<Counter> to, Record<std::string>& heard) : to_(std::move(to)), heard_(heard) {}
  void handle(Context& context, const Do&) { context.send(to_, Add{1}); }
  void undeliverable(Context&, const Undeliverable& message) override {
    heard_.add(message.dest.actor.text() + ": " + Error(message.why).text());
  }

 private:
  ActorRef<Counter> to_;
  Record<std::string>& heard_;
};

TEST_F(Actors, HearOfWhatTheySentInVainAndLiveOn) {
  Record<std::string> heard;
  const auto nobody = ActorRef<Counter>::attest(ActorId{proc_.id(), "nobody", 0});
  const auto elsewhere = ActorRef<Counter>::attest(ActorId{ProcId::ranked("elsewhere", 0), "counter", 0});
  for (const auto& to : {nobody, elsewhere}) {
    const auto actor =
        value_or_throw(proc_.spawn("hears" + to.id().name, std::make_unique<Hears>(to, heard)));
    client_.send(actor, Do{});
    client_.send(actor, Do{});
  }
  ASSERT_TRUE(heard.wait(4));
  EXPECT_EQ(node_.router().counters().undeliverable, 4U);
}

}  // namespace
}  // namespace hostmesh
