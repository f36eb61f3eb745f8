// Spawning, failing, stopping.
#include "actor/support.hpp"

namespace hostmesh {
namespace {

using namespace test;

class Life : public ::testing::TestWithParam<Where> {
 protected:
  void SetUp() override {
    proc_.on_unhandled([this](const SupervisionEvent& event) { unhandled_.add(event); });
  }
  SpawnOptions here(std::optional<PortRef<SupervisionEvent>> owner = {}) {
    return {.where = GetParam(), .owner = std::move(owner)};
  }
  ActorRef<Counter> counter(const std::string& name) {
    return value_or_throw(proc_.spawn(name, std::make_unique<Counter>(1), here()));
  }
  Result<> stop(const ActorId& id) {
    return wait_for([&](auto done) { proc_.stop_actor(id, soon(), done); });
  }
  Record<SupervisionEvent> unhandled_;
  Node node_{"node"};
  Proc& proc_ = node_.proc(ProcId::ranked("node", 0));
  Client client_{proc_, "client"};
};
INSTANTIATE_TEST_SUITE_P(Everywhere, Life, ::testing::Values(Where::kReactor, Where::kWorkers),
                         [](const auto& where) {
                           return where.param == Where::kReactor ? "Reactor" : "Workers";
                         });

TEST_P(Life, ANameInUseIsRefused) {
  const auto first = counter("same");
  const auto second = proc_.spawn("same", std::make_unique<Counter>(2), here());
  EXPECT_EQ(cause_of(second), Cause::kInvalidArgument);
  EXPECT_EQ(cause_of(proc_.spawn("client", std::make_unique<Counter>(2), here())), Cause::kInvalidArgument);
}

TEST_P(Life, ANameMayBeUsedAgainAndOldReferencesDoNotReachTheNewActor) {
  const auto first = counter("same");
  ASSERT_TRUE(stop(first.id()));
  const auto second = counter("same");
  EXPECT_EQ(first.id().pid, 0U);
  EXPECT_NE(second.id().pid, 0U);
  EXPECT_EQ(client_.call(second, Read{}, soon()), 1);
  const auto old = client_.try_call(first, Read{}, soon());
  EXPECT_EQ(cause_of(old), Cause::kActorGone);
  EXPECT_NE(old.error().text().find("has stopped"), std::string::npos) << old.error().text();
}

TEST_P(Life, AThrowingHandlerFailsItsActorAloneAndItsOwnerHearsOnce) {
  auto [port, events] = client_.open_port<SupervisionEvent>();
  const auto bystander = counter("bystander");
  const auto failing = value_or_throw(proc_.spawn("failing", std::make_unique<Counter>(0), here(port)));
  client_.send(failing, Fail{"out of ink"});
  client_.send(failing, Fail{"again"});
  const auto event = events.receive(soon());
  ASSERT_TRUE(event) << event.error().text();
  EXPECT_EQ(event->actor, failing.id());
  EXPECT_EQ(event->kind, SupervisionEvent::Kind::kFailed);
  EXPECT_EQ(event->text, "out of ink");
  EXPECT_NE(event->display.find("Counter"), std::string::npos) << event->display;
  EXPECT_EQ(client_.call(bystander, Read{}, soon()), 1);
  EXPECT_FALSE(events.try_receive());
  EXPECT_TRUE(unhandled_.get().empty());
  EXPECT_TRUE(proc_.spawn("failing", std::make_unique<Counter>(0), here()));
}

TEST_P(Life, AFailureWithoutAnOwnerIsGivenToTheProc) {
  client_.send(counter("alone"), Fail{"nobody knows"});
  ASSERT_TRUE(unhandled_.wait(1));
  EXPECT_EQ(unhandled_.get().front().text, "nobody knows");
}

class ThrowsOddly : public Actor {
 public:
  using Handles = Messages<>;
  void init(Context&) override { throw 7; }
};

TEST_P(Life, AnythingThrownFromAnywhereCounts) {
  ASSERT_TRUE(proc_.spawn("odd", std::make_unique<ThrowsOddly>(), here()));
  ASSERT_TRUE(unhandled_.wait(1));
  EXPECT_NE(unhandled_.get().front().text.find("not a std::exception"), std::string::npos);
}

TEST_P(Life, StoppingHandlesWhatIsQueuedFirst) {
  Record<std::uint64_t> handled;
  const auto actor = value_or_throw(
      proc_.spawn("drains",
                  std::make_unique<Scripted>([&](Context&, std::uint64_t which) { handled.add(which); },
                                             [&] { handled.add(1000); }),
                  here()));
  for (std::uint64_t i = 0; i < 100; ++i) client_.send(actor, Do{i});
  node_.call([] {});
  ASSERT_TRUE(stop(actor.id()));
  const auto all = handled.get();
  ASSERT_EQ(all.size(), 101U);
  EXPECT_EQ(all.back(), 1000U);
  EXPECT_TRUE(proc_.actors().empty());
}

TEST_P(Life, AStoppedActorTellsItsOwner) {
  auto [port, events] = client_.open_port<SupervisionEvent>();
  const auto actor = value_or_throw(proc_.spawn("stops", std::make_unique<Counter>(0), here(port)));
  ASSERT_TRUE(stop(actor.id()));
  const auto event = events.receive(soon());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, SupervisionEvent::Kind::kStopped);
}

TEST_P(Life, StoppingTwiceIsFineAndStoppingNobodyIsNot) {
  const auto actor = counter("twice");
  EXPECT_TRUE(stop(actor.id()));
  EXPECT_TRUE(stop(actor.id()));
  EXPECT_EQ(cause_of(stop(ActorId{proc_.id(), "nobody", 0})), Cause::kActorGone);
}

TEST_P(Life, ChildrenStopBeforeTheirParent) {
  Record<std::string> order;
  const auto note = [&order](std::string what) {
    return [&order, what = std::move(what)] { order.add(what); };
  };
  const auto nothing = [](Context&, std::uint64_t) {};
  Record<ActorId> children;
  const auto parent = value_or_throw(proc_.spawn(
      "family",
      std::make_unique<Scripted>(
          [&](Context& context, std::uint64_t) {
            for (int i = 0; i < 2; ++i) {
              const auto child =
                  context.spawn(std::make_unique<Scripted>(
                                    [&, nothing](Context& child_context, std::uint64_t) {
                                      const auto grandchild = child_context.spawn(
                                          std::make_unique<Scripted>(nothing, note("grandchild")), here());
                                      children.add(grandchild->id());
                                    },
                                    note("child")),
                                here());
              children.add(child->id());
              context.send(*child, Do{});
            }
          },
          note("parent")),
      here()));
  client_.send(parent, Do{});
  ASSERT_TRUE(children.wait(4));
  for (const ActorId& child : children.get()) {
    EXPECT_EQ(child.name, "family");
    EXPECT_NE(child.pid, 0U);
  }
  ASSERT_TRUE(stop(parent.id()));
  const auto all = order.get();
  ASSERT_EQ(all.size(), 5U);
  EXPECT_EQ(all.back(), "parent");
  EXPECT_EQ(all.front(), "grandchild");
  EXPECT_TRUE(proc_.actors().empty());
}

class Parent : public Actor {
 public:
  using Handles = Messages<Do, Fail>;
  Parent(Record<ActorId>& children, Record<SupervisionEvent>* handled, Where where)
      : children_(children), handled_(handled), where_(where) {}
  void handle(Context& context, const Do&) {
    children_.add(context.spawn(std::make_unique<Counter>(0), {.where = where_, .owner = {}})->id());
  }
  void handle(Context&, const Fail& message) { throw std::runtime_error(message.text); }
  void handle_supervision(Context& context, const SupervisionEvent& event) override {
    if (handled_ == nullptr) return Actor::handle_supervision(context, event);
    handled_->add(event);
  }

 private:
  Record<ActorId>& children_;
  Record<SupervisionEvent>* handled_;
  Where where_;
};

TEST_P(Life, AParentMayHandleTheFailureOfAChild) {
  Record<ActorId> children;
  Record<SupervisionEvent> handled;
  const auto parent =
      value_or_throw(proc_.spawn("parent", std::make_unique<Parent>(children, &handled, GetParam()), here()));
  client_.send(parent, Do{});
  ASSERT_TRUE(children.wait(1));
  client_.send(ActorRef<Counter>::attest(children.get().front()), Fail{"child's play"});
  ASSERT_TRUE(handled.wait(1));
  EXPECT_EQ(handled.get().front().text, "child's play");
  client_.send(parent, Do{});
  EXPECT_TRUE(children.wait(2));
}

TEST_P(Life, AFailureThatNobodyHandlesGoesUpAndTakesTheSiblings) {
  Record<ActorId> children;
  const auto parent =
      value_or_throw(proc_.spawn("parent", std::make_unique<Parent>(children, nullptr, GetParam()), here()));
  client_.send(parent, Do{});
  client_.send(parent, Do{});
  ASSERT_TRUE(children.wait(2));
  client_.send(ActorRef<Counter>::attest(children.get()[0]), Fail{"child's play"});
  ASSERT_TRUE(unhandled_.wait(1));
  EXPECT_EQ(unhandled_.get().front().actor, parent.id());
  EXPECT_NE(unhandled_.get().front().text.find("child's play"), std::string::npos);
  EXPECT_TRUE(stop(children.get()[1]));
  EXPECT_EQ(cause_of(client_.try_call(ActorRef<Counter>::attest(children.get()[1]), Read{}, soon())),
            Cause::kActorGone);
}

TEST_P(Life, ChildrenOfAFailedActorAreStopped) {
  Record<ActorId> children;
  const auto parent =
      value_or_throw(proc_.spawn("parent", std::make_unique<Parent>(children, nullptr, GetParam()), here()));
  client_.send(parent, Do{});
  ASSERT_TRUE(children.wait(1));
  client_.send(parent, Fail{"gone"});
  ASSERT_TRUE(unhandled_.wait(1));
  EXPECT_TRUE(stop(children.get().front()));
  EXPECT_TRUE(proc_.actors().empty());
}

TEST_P(Life, AnActorMayStopItself) {
  auto [port, events] = client_.open_port<SupervisionEvent>();
  const auto actor = value_or_throw(proc_.spawn(
      "quits", std::make_unique<Scripted>([](Context& context, std::uint64_t) { context.stop_self(); }),
      here(port)));
  client_.send(actor, Do{});
  const auto event = events.receive(soon());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->kind, SupervisionEvent::Kind::kStopped);
}

TEST(LifeOnWorkers, AStopThatTakesTooLongNamesWho) {
  Node node("node");
  Proc& proc = node.proc(ProcId::ranked("node", 0));
  Client client(proc, "client");
  Gate inside, release;
  const auto actor =
      value_or_throw(proc.spawn("slow", std::make_unique<Scripted>([&](Context&, std::uint64_t) {
                                  inside.open();
                                  (void)release.wait();
                                })));
  client.send(actor, Do{});
  ASSERT_TRUE(inside.wait());
  const auto late = wait_for([&](auto done) { proc.stop_actor(actor.id(), Deadline::after(10ms), done); });
  EXPECT_EQ(cause_of(late), Cause::kTimeout);
  EXPECT_NE(late.error().text().find("node[0].slow[0]"), std::string::npos) << late.error().text();
  EXPECT_EQ(proc.actors().front().state, ActorState::kStopping);
  release.open();
  EXPECT_TRUE(wait_for([&](auto done) { proc.stop_actor(actor.id(), soon(), done); }));
}

TEST(LifeOfProcs, RemovingOneStopsItsActorsAndFreesItsId) {
  Node node("node");
  const ProcId id = ProcId::ranked("node", 0);
  Record<std::string> stopped;
  Proc& proc = node.proc(id);
  for (const char* name : {"a", "b"}) {
    ASSERT_TRUE(proc.spawn(name, std::make_unique<Scripted>([](Context&, std::uint64_t) {},
                                                            [&stopped, name] { stopped.add(name); })));
  }
  EXPECT_TRUE(wait_for([&](auto done) { node.system().remove_proc(id, soon(), done); }));
  EXPECT_EQ(stopped.get().size(), 2U);
  EXPECT_EQ(node.system().find_proc(id), nullptr);
  EXPECT_EQ(cause_of(wait_for([&](auto done) { node.system().remove_proc(id, soon(), done); })),
            Cause::kInvalidArgument);
  Proc& again = node.proc(id);
  EXPECT_TRUE(again.spawn("a", std::make_unique<Counter>(0)));
}

}  // namespace
}  // namespace hostmesh
