#include "actor/support.hpp"

namespace hostmesh {
namespace {

using namespace test;

class Ports : public ::testing::Test {
 protected:
  // Returns when all that was sent before has been delivered.
  void settle() {
    node_.call([] {});
    node_.call([] {});
  }
  Node node_{"node"};
  Proc& proc_ = node_.proc(ProcId::ranked("node", 0));
  Client client_{proc_, "client"};
};

TEST_F(Ports, ReceiveInOrder) {
  auto [port, receiver] = client_.open_port<std::string>();
  for (const char* text : {"a", "b", "c"}) client_.send(port, std::string(text));
  for (const char* text : {"a", "b", "c"}) EXPECT_EQ(receiver.receive(soon()), std::string(text));
  EXPECT_FALSE(receiver.try_receive());
}

TEST_F(Ports, AreNumberedFrom1024) {
  auto [first, first_receiver] = client_.open_port<std::string>();
  auto [second, second_receiver] = client_.open_port<std::string>();
  EXPECT_EQ(first.id().text(), "node[0].client[0][1024]");
  EXPECT_EQ(second.id().port, 1025U);
}

TEST_F(Ports, TimeOutWhenNothingComes) {
  auto [port, receiver] = client_.open_port<std::string>();
  EXPECT_EQ(cause_of(receiver.receive(Deadline::after(5ms))), Cause::kTimeout);
}

TEST_F(Ports, OfOneValueTakeOne) {
  auto [port, receiver] = client_.open_once_port<std::int64_t>();
  client_.send(port, std::int64_t{1});
  client_.send(port, std::int64_t{2});
  settle();
  EXPECT_EQ(receiver.receive(soon()), 1);
  EXPECT_EQ(cause_of(receiver.receive(soon())), Cause::kCancelled);
  EXPECT_EQ(node_.router().counters().late_port_messages, 1U);
}

TEST_F(Ports, OfTheLatestValueKeepOnlyThat) {
  auto [port, receiver] = client_.open_latest_port<std::int64_t>();
  for (std::int64_t i = 0; i < 8; ++i) client_.send(port, i);
  settle();
  EXPECT_EQ(receiver.receive(soon()), 7);
  EXPECT_FALSE(receiver.try_receive());
}

TEST_F(Ports, WithAHandlerRunItOnTheReactor) {
  Record<bool> on_reactor;
  auto [port, handle] = client_.open_handler_port<std::int64_t>(
      [&](std::int64_t) { on_reactor.add(node_.reactor().on_thread()); });
  client_.send(port, std::int64_t{1});
  ASSERT_TRUE(on_reactor.wait(1));
  EXPECT_TRUE(on_reactor.get().front());
}

TEST_F(Ports, CountWhatComesAfterTheyWereClosed) {
  Record<std::int64_t> values;
  auto [port, handle] =
      client_.open_handler_port<std::int64_t>([&](std::int64_t value) { values.add(value); });
  handle.close();
  client_.send(port, std::int64_t{1});
  {
    auto [dropped, receiver] = client_.open_port<std::int64_t>();
    port = dropped;
  }
  client_.send(port, std::int64_t{2});
  settle();
  EXPECT_TRUE(values.get().empty());
  EXPECT_EQ(node_.router().counters().late_port_messages, 2U);
}

TEST_F(Ports, RefuseWhatTheyDoNotTake) {
  auto [port, receiver] = client_.open_port<std::string>();
  client_.send(PortRef<std::int64_t>::attest(port.id()), std::int64_t{-1});
  client_.send(port, std::string("good"));
  EXPECT_EQ(cause_of(receiver.receive(soon())), Cause::kProtocol);
  EXPECT_EQ(receiver.receive(soon()), std::string("good"));
}

TEST_F(Ports, EndWithTheirClient) {
  auto other = std::make_unique<Client>(proc_, "other");
  auto [port, receiver] = other->open_port<std::string>();
  other.reset();
  EXPECT_EQ(cause_of(receiver.receive(soon())), Cause::kCancelled);
}

struct Ask {
  PortRef<std::string> answer_to;
};
class Answers : public Actor {
 public:
  using Handles = Messages<Ask>;
  void handle(Context& context, const Ask& message) { context.send(message.answer_to, std::string("here")); }
};

TEST_F(Ports, TravelInMessages) {
  const auto actor = value_or_throw(proc_.spawn("answers", std::make_unique<Answers>()));
  auto [port, receiver] = client_.open_once_port<std::string>();
  client_.send(actor, Ask{port});
  EXPECT_EQ(receiver.receive(soon()), std::string("here"));
}

TEST_F(Ports, OfActorsRunInTheirTurns) {
  Record<std::int64_t> values;
  std::promise<std::pair<PortRef<std::int64_t>, PortRef<std::int64_t>>> opened;
  PortRef<std::int64_t> many;
  const auto actor = value_or_throw(
      proc_.spawn("ports", std::make_unique<Scripted>([&](Context& context, std::uint64_t which) {
                    if (which == 1) return context.close_port(many);
                    many = context.open_port<std::int64_t>([&](std::int64_t value) { values.add(value); });
                    const auto once =
                        context.open_once_port<std::int64_t>([&](std::int64_t value) { values.add(-value); });
                    opened.set_value({many, once});
                  })));
  client_.send(actor, Do{0});
  const auto [port, once] = opened.get_future().get();
  client_.send(port, std::int64_t{1});
  client_.send(once, std::int64_t{2});
  client_.send(once, std::int64_t{3});
  client_.send(port, std::int64_t{4});
  client_.send(actor, Do{1});
  client_.send(port, std::int64_t{5});
  ASSERT_TRUE(wait_for([&](auto done) { proc_.stop_actor(actor.id(), soon(), done); }));
  EXPECT_EQ(values.get(), (std::vector<std::int64_t>{1, -2, 4}));
  EXPECT_EQ(node_.router().counters().late_port_messages, 2U);
}

}  // namespace
}  // namespace hostmesh
