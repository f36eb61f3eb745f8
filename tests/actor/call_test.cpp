// Calls within one system.
#include "actor/support.hpp"

namespace hostmesh {
namespace {

using namespace test;

class Calls : public ::testing::TestWithParam<Where> {
 protected:
  ActorRef<Counter> spawn(const std::string& name = "counter") {
    return value_or_throw(
        proc_.spawn(name, std::make_unique<Counter>(1), {.where = GetParam(), .owner = {}}));
  }
  Node node_{"node"};
  Proc& proc_ = node_.proc(ProcId::ranked("node", 0));
  Client client_{proc_, "client"};
};
INSTANTIATE_TEST_SUITE_P(Everywhere, Calls, ::testing::Values(Where::kReactor, Where::kWorkers),
                         [](const auto& where) {
                           return where.param == Where::kReactor ? "Reactor" : "Workers";
                         });

TEST_P(Calls, AreAnsweredByTheHandler) {
  const auto counter = spawn();
  client_.send(counter, Add{4});
  EXPECT_EQ(client_.call(counter, Read{}, soon()), 5);
}

TEST_P(Calls, AreAnsweredLater) {
  const auto counter = spawn();
  std::promise<Result<std::string>> answer;
  client_.call_async(counter, Hold{}, soon(),
                     [&](Result<std::string> result) { answer.set_value(std::move(result)); });
  EXPECT_EQ(client_.call(counter, Read{}, soon()), 1);
  client_.send(counter, Release{"at last"});
  EXPECT_EQ(answer.get_future().get(), std::string("at last"));
}

TEST_P(Calls, ThatAreDroppedFailAtOnce) {
  const auto counter = spawn();
  std::promise<Result<std::string>> answer;
  client_.call_async(counter, Hold{}, Deadline::never(),
                     [&](Result<std::string> result) { answer.set_value(std::move(result)); });
  client_.send(counter, Forget{});
  const auto result = answer.get_future().get();
  EXPECT_EQ(cause_of(result), Cause::kRemote);
  EXPECT_NE(result.error().text().find("dropped the call"), std::string::npos) << result.error().text();
  EXPECT_EQ(client_.call(counter, Read{}, soon()), 1);
}

TEST_P(Calls, MayBeRefusedByAHandlerThatIsWell) {
  const auto counter = spawn();
  EXPECT_TRUE(client_.try_call(counter, Refuse{false}, soon()));
  EXPECT_EQ(cause_of(client_.try_call(counter, Refuse{true}, soon())), Cause::kInvalidArgument);
  EXPECT_EQ(client_.call(counter, Read{}, soon()), 1);
}

TEST_P(Calls, EndAtTheirDeadlineNamingWhoDidNotAnswer) {
  const auto counter = spawn();
  const auto result = client_.try_call(counter, Hold{}, Deadline::after(20ms));
  EXPECT_EQ(cause_of(result), Cause::kTimeout);
  EXPECT_NE(result.error().text().find("node[0].counter[0]"), std::string::npos) << result.error().text();
  EXPECT_EQ(node_.router().counters().calls_outstanding, 0U);
}

TEST_P(Calls, AnsweredTooLateAreCountedAndDropped) {
  const auto counter = spawn();
  ASSERT_EQ(cause_of(client_.try_call(counter, Hold{}, Deadline::after(10ms))), Cause::kTimeout);
  client_.send(counter, Release{"too late"});
  EXPECT_EQ(client_.call(counter, Read{}, soon()), 1);
  EXPECT_EQ(node_.router().counters().late_replies, 1U);
}

TEST_P(Calls, ToNobodyFailAtOnce) {
  const auto nobody = ActorRef<Counter>::attest(ActorId{proc_.id(), "nobody", 0});
  const auto result = client_.try_call(nobody, Read{}, Deadline::never());
  EXPECT_EQ(cause_of(result), Cause::kActorGone);
  EXPECT_NE(result.error().text().find("node[0].nobody[0]"), std::string::npos) << result.error().text();
}

TEST_P(Calls, ToAnUnknownProcFailAtOnce) {
  const auto nobody = ActorRef<Counter>::attest(ActorId{ProcId::ranked("elsewhere", 0), "counter", 0});
  EXPECT_EQ(cause_of(client_.try_call(nobody, Read{}, Deadline::never())), Cause::kUnroutable);
}

class Knows : public Actor {
 public:
  using Handles = Messages<Foreign>;
  std::int64_t handle(Context&, const Foreign&) { return 0; }
};

TEST_P(Calls, ThatTheActorDoesNotHandleAreRefusedAndHarmNobody) {
  const auto counter = spawn();
  const auto mistaken = ActorRef<Knows>::attest(counter.id());
  const auto result = client_.try_call(mistaken, Foreign{}, soon());
  EXPECT_EQ(cause_of(result), Cause::kProtocol);
  EXPECT_NE(result.error().text().find("does not handle"), std::string::npos) << result.error().text();
  EXPECT_EQ(client_.call(counter, Read{}, soon()), 1);
}

TEST_P(Calls, ThatCannotBeDecodedAreRefusedAndHarmNobody) {
  const auto counter = spawn();
  std::promise<Result<Bytes>> answer;
  node_.call([&] {
    node_.router().call(PortId{counter.id(), wire::message_port<FailCalled>()}, client_.id(), Bytes{1, 2},
                        SendClass::kControl, soon(),
                        [&](Result<Bytes> result) { answer.set_value(std::move(result)); });
  });
  EXPECT_EQ(cause_of(answer.get_future().get()), Cause::kProtocol);
  EXPECT_EQ(client_.call(counter, Read{}, soon()), 1);
  EXPECT_EQ(node_.router().counters().undecodable, 1U);
}

TEST_P(Calls, OfActorsContinueInTheActorsOwnTurn) {
  const auto counter = spawn();
  Record<std::int64_t> answers;
  std::atomic<int> inside{0};
  std::atomic<bool> overlapped{false};
  const auto caller =
      value_or_throw(proc_.spawn("caller", std::make_unique<Scripted>([&](Context& context, std::uint64_t) {
                                   overlapped = overlapped || ++inside != 1;
                                   context.call(counter, Read{}, soon(), [&](Result<std::int64_t> result) {
                                     overlapped = overlapped || ++inside != 1;
                                     --inside;
                                     answers.add(result.value_or(-1));
                                   });
                                   --inside;
                                 }),
                                 {.where = GetParam(), .owner = {}}));
  for (int i = 0; i < 200; ++i) client_.send(caller, Do{});
  ASSERT_TRUE(answers.wait(200));
  EXPECT_FALSE(overlapped);
  EXPECT_EQ(answers.get().front(), 1);
}

TEST_P(Calls, ToAnActorThatFailsMeanwhileFailWithItsReason) {
  const auto counter = spawn();
  std::promise<Result<std::string>> held;
  client_.call_async(counter, Hold{}, Deadline::never(),
                     [&](Result<std::string> result) { held.set_value(std::move(result)); });
  const auto failing = client_.try_call(counter, FailCalled{"out of paper"}, Deadline::never());
  EXPECT_EQ(cause_of(failing), Cause::kActorGone);
  EXPECT_NE(failing.error().text().find("out of paper"), std::string::npos) << failing.error().text();
  const auto earlier = held.get_future().get();
  EXPECT_EQ(cause_of(earlier), Cause::kActorGone);
  EXPECT_NE(earlier.error().text().find("out of paper"), std::string::npos) << earlier.error().text();
  const auto later = client_.try_call(counter, Read{}, Deadline::never());
  EXPECT_EQ(cause_of(later), Cause::kActorGone);
  EXPECT_NE(later.error().text().find("out of paper"), std::string::npos) << later.error().text();
}

using ClientTest = Calls;
INSTANTIATE_TEST_SUITE_P(OnReactor, ClientTest, ::testing::Values(Where::kReactor));

TEST_P(ClientTest, RefusesToBlockTheReactor) {
  const auto counter = spawn("blocking");
  auto [port, receiver] = client_.open_port<std::int64_t>();
  node_.call([&, &values = receiver] {
    EXPECT_EQ(cause_of(client_.try_call(counter, Read{}, soon())), Cause::kInternal);
    EXPECT_THROW(client_.call(counter, Read{}, soon()), Error);
    EXPECT_EQ(cause_of(values.receive(soon())), Cause::kInternal);
  });
}

TEST_P(ClientTest, ThrowsWhatACallEndsWith) {
  const auto nobody = ActorRef<Counter>::attest(ActorId{proc_.id(), "nobody", 0});
  EXPECT_THROW(client_.call(nobody, Read{}, soon()), Error);
}

TEST_P(ClientTest, NeedsANameOfItsOwn) {
  EXPECT_THROW(Client(proc_, "client"), Error);
}

TEST_P(ClientTest, IsWokenWhenTheSystemEnds) {
  auto node = std::make_unique<Node>("ending");
  Proc& proc = node->proc(ProcId::ranked("ending", 0));
  const auto counter = value_or_throw(proc.spawn("counter", std::make_unique<Counter>(0)));
  auto client = std::make_unique<Client>(proc, "client");
  Gate called;
  std::thread caller([&] {
    auto [port, receiver] = client->open_port<std::int64_t>();
    called.open();
    EXPECT_EQ(cause_of(client->try_call(counter, Hold{}, Deadline::never())), Cause::kCancelled);
    EXPECT_EQ(cause_of(receiver.receive(Deadline::never())), Cause::kCancelled);
    client.reset();
  });
  ASSERT_TRUE(called.wait());
  node.reset();
  caller.join();
}

}  // namespace
}  // namespace hostmesh
