// Several systems with real connections between them.
#include <array>

#include "actor/support.hpp"

namespace hostmesh {
namespace {

using namespace test;

// client -> host -> proc, as in a host mesh: the host answers at an address, the proc is behind it under a
// name.
class Gateway : public ::testing::TestWithParam<Transport> {
 protected:
  void SetUp() override {
    const ChannelAddr host_addr = ChannelAddr::unix_abstract("host");
    proc_id_ = ProcId::direct(host_addr, "worker");
    // A link is within one process for local:, so both transports do.
    client_host_ = link(client_node_, host_node_, GetParam());
    host_proc_ = link(host_node_, proc_node_, GetParam());
    client_node_.call([&] { client_node_.router().bind_address(host_addr, client_host_.from); });
    host_node_.call([&] {
      host_node_.router().add_own_address(host_addr);
      host_node_.router().bind(proc_id_, host_proc_.from);
      host_node_.router().bind_address(client_addr_, client_host_.to);
    });
    proc_node_.call([&] { proc_node_.router().set_default(host_proc_.to); });
    proc_ = &proc_node_.proc(proc_id_);
    counter_ = value_or_throw(proc_->spawn("counter", std::make_unique<Counter>(7)));
  }
  void TearDown() override {
    client_host_ = {};
    host_proc_ = {};
  }

  const ChannelAddr client_addr_ = ChannelAddr::unix_abstract("client");
  Node client_node_{"client"}, host_node_{"host 3"}, proc_node_{"worker"};
  Proc& client_proc_ = client_node_.proc(ProcId::direct(client_addr_, "client"));
  Client client_{client_proc_, "main"};
  ProcId proc_id_;
  Links client_host_, host_proc_;
  Proc* proc_ = nullptr;
  ActorRef<Counter> counter_;
};
INSTANTIATE_TEST_SUITE_P(Over, Gateway, ::testing::Values(Transport::kUnix, Transport::kLocal),
                         [](const auto& transport) { return std::string(to_string(transport.param)); });

TEST_P(Gateway, PassesCallsAndAnswers) {
  client_.send(counter_, Add{3});
  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 10);
  EXPECT_EQ(host_node_.router().counters().forwarded, 2U);
  EXPECT_EQ(host_node_.router().counters().calls_outstanding, 0U);
}

TEST_P(Gateway, PassesCallsTheOtherWay) {
  const auto back = value_or_throw(client_proc_.spawn("counter", std::make_unique<Counter>(9)));
  Client from_proc(*proc_, "main");
  EXPECT_EQ(from_proc.call(back, Read{}, soon()), 9);
}

TEST_P(Gateway, PassesSendsToPortsBack) {
  auto [port, receiver] = client_.open_port<std::string>();
  Client from_proc(*proc_, "main");
  for (int i = 0; i < 1000; ++i) from_proc.send(port, std::to_string(i));
  for (int i = 0; i < 1000; ++i) ASSERT_EQ(receiver.receive(soon()), std::to_string(i));
}

TEST_P(Gateway, PassesTheErrorsOfTheActor) {
  const auto failed = client_.try_call(counter_, FailCalled{"far away"}, soon());
  EXPECT_EQ(cause_of(failed), Cause::kActorGone);
  EXPECT_NE(failed.error().text().find("far away"), std::string::npos) << failed.error().text();
}

TEST_P(Gateway, AnswersForNamesThatItDoesNotKnow) {
  const auto nobody =
      ActorRef<Counter>::attest(ActorId{ProcId::direct(proc_id_.addr(), "nobody"), "counter", 0});
  const auto failed = client_.try_call(nobody, Read{}, Deadline::never());
  EXPECT_EQ(cause_of(failed), Cause::kUnroutable);
  EXPECT_NE(failed.error().text().find("unix:@host,nobody"), std::string::npos) << failed.error().text();
  EXPECT_EQ(client_node_.router().counters().calls_outstanding, 0U);
}

TEST_P(Gateway, EndsCallsAtOnceWhenTheProcDies) {
  std::promise<Result<std::string>> answer;
  client_.call_async(counter_, Hold{}, Deadline::never(),
                     [&](Result<std::string> result) { answer.set_value(std::move(result)); });
  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 7);
  proc_node_.call([&] { host_proc_.to->abort(Cause::kCancelled, "test"); });
  const auto result = answer.get_future().get();
  EXPECT_EQ(cause_of(result), Cause::kPeerGone);
  EXPECT_NE(result.error().text().find("worker is gone"), std::string::npos) << result.error().text();
  // And later ones, with the reason, while it is still bound.
  const auto later = client_.try_call(counter_, Read{}, Deadline::never());
  EXPECT_EQ(cause_of(later), Cause::kPeerGone);
  EXPECT_NE(later.error().text().find("worker is gone"), std::string::npos) << later.error().text();
  host_node_.call([&] { host_node_.router().unbind(proc_id_); });
  EXPECT_EQ(cause_of(client_.try_call(counter_, Read{}, Deadline::never())), Cause::kUnroutable);
}

TEST_P(Gateway, EndsCallsAtOnceWhenItDies) {
  std::promise<Result<std::string>> answer;
  client_.call_async(counter_, Hold{}, Deadline::never(),
                     [&](Result<std::string> result) { answer.set_value(std::move(result)); });
  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 7);
  host_node_.call([&] { client_host_.to->abort(Cause::kCancelled, "test"); });
  const auto result = answer.get_future().get();
  EXPECT_EQ(cause_of(result), Cause::kPeerGone);
  EXPECT_NE(result.error().text().find("host 3 is gone"), std::string::npos) << result.error().text();
  EXPECT_EQ(client_node_.router().counters().calls_outstanding, 0U);
}

TEST_P(Gateway, ForgetsTheCallsOfACallerThatDied) {
  client_.call_async(counter_, Hold{}, Deadline::never(), [](Result<std::string>) {});
  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 7);
  std::promise<void> closed;
  host_node_.call([&] { EXPECT_EQ(host_node_.router().counters().calls_outstanding, 1U); });
  client_node_.call([&] { client_host_.from->abort(Cause::kCancelled, "test"); });
  // The host has seen the end of the link when it refuses what goes that way.
  Client from_proc(*proc_, "main");
  const auto back = ActorRef<Counter>::attest(ActorId{client_proc_.id(), "counter", 0});
  while (cause_of(from_proc.try_call(back, Read{}, soon())) != Cause::kPeerGone) {
  }
  EXPECT_EQ(host_node_.router().counters().calls_outstanding, 0U);
}

TEST_P(Gateway, ForgetsCallsThatTheirCallerGaveUp) {
  ASSERT_EQ(cause_of(client_.try_call(counter_, Hold{}, Deadline::after(20ms))), Cause::kTimeout);
  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 7);
  EXPECT_EQ(host_node_.router().counters().calls_outstanding, 0U);
  client_.send(counter_, Release{"too late"});
  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 7);
  EXPECT_EQ(host_node_.router().counters().late_replies, 1U);
}

class HearsFar : public Actor {
 public:
  using Handles = Messages<Do>;
  HearsFar(ActorRef<Counter> to, Record<std::string>& heard) : to_(std::move(to)), heard_(heard) {}
  void handle(Context& context, const Do&) { context.send(to_, Add{1}); }
  void undeliverable(Context&, const Undeliverable& message) override {
    heard_.add(message.dest.actor.text() + ": " + Error(message.why).text());
  }

 private:
  ActorRef<Counter> to_;
  Record<std::string>& heard_;
};

TEST_P(Gateway, TellsSendersWhatDidNotArrive) {
  Record<std::string> heard;
  const auto unknown_actor = ActorRef<Counter>::attest(ActorId{proc_id_, "nobody", 0});
  const auto unknown_proc =
      ActorRef<Counter>::attest(ActorId{ProcId::direct(proc_id_.addr(), "nobody"), "counter", 0});
  for (const auto& to : {unknown_actor, unknown_proc}) {
    const auto actor =
        value_or_throw(client_proc_.spawn("hears" + to.id().name, std::make_unique<HearsFar>(to, heard)));
    client_.send(actor, Do{});
  }
  ASSERT_TRUE(heard.wait(2));
}

TEST_P(Gateway, KeepsTheOrderOfEachSender) {
  Record<std::uint64_t> received;
  const auto actor = value_or_throw(proc_->spawn(
      "order", std::make_unique<Scripted>([&](Context&, std::uint64_t which) { received.add(which); })));
  constexpr std::uint64_t kCount = 20000;
  for (std::uint64_t i = 0; i < kCount; ++i) client_.send(actor, Do{i});
  ASSERT_TRUE(received.wait(kCount));
  const auto all = received.get();
  for (std::uint64_t i = 0; i < kCount; ++i) ASSERT_EQ(all[i], i);
}

struct Lump {
  static constexpr bool kBulk = true;
  using Reply = std::uint64_t;
  std::uint64_t number = 0;
  Bytes bytes;
};
class Lumps : public Actor {
 public:
  using Handles = Messages<Lump>;
  std::uint64_t handle(Context&, const Lump& message) {
    return message.number == next_++ ? message.bytes.size() : 0;
  }

 private:
  std::uint64_t next_ = 0;
};

TEST_P(Gateway, HoldsBulkBackWithoutLosingAny) {
  const auto actor = value_or_throw(proc_->spawn("lumps", std::make_unique<Lumps>()));
  constexpr std::size_t kSize = 1 << 20;
  Record<std::uint64_t> sizes;
  for (std::uint64_t i = 0; i < 32; ++i) {
    client_.call_async(actor, Lump{i, Bytes(kSize)}, soon(),
                       [&](Result<std::uint64_t> size) { sizes.add(size.value_or(0)); });
  }
  ASSERT_TRUE(sizes.wait(32));
  EXPECT_EQ(sizes.get(), std::vector<std::uint64_t>(32, kSize));
}

TEST_P(Gateway, RefusesWhatThePeerWouldNotTake) {
  const auto actor = value_or_throw(proc_->spawn("lumps", std::make_unique<Lumps>()));
  const auto result = client_.try_call(actor, Lump{0, Bytes(std::size_t{65} << 20)}, soon());
  EXPECT_EQ(cause_of(result), Cause::kResourceLimit) << (result ? "" : result.error().text());
  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 7);
}

TEST(Routing, BetweenProcsOfOneSystemNeedsNoSocket) {
  Node node("node");
  Proc& one = node.proc(ProcId::ranked("w", 0));
  Proc& two = node.proc(ProcId::ranked("w", 1));
  Client client(one, "client");
  const auto counter = value_or_throw(two.spawn("counter", std::make_unique<Counter>(2)));
  EXPECT_EQ(client.call(counter, Read{}, soon()), 2);
}

TEST(Routing, ACircleOfRoutesIsCutByTheHopLimit) {
  Node a("a"), b("b"), c("c");
  Links ab = link(a, b), bc = link(b, c), ca = link(c, a);
  const ChannelAddr nowhere = ChannelAddr::unix_abstract("nowhere");
  a.call([&] { a.router().bind_address(nowhere, ab.from); });
  b.call([&] { b.router().bind_address(nowhere, bc.from); });
  c.call([&] { c.router().bind_address(nowhere, ca.from); });
  Client client(a.proc(ProcId::ranked("a", 0)), "client");
  const auto lost = ActorRef<Counter>::attest(ActorId{ProcId::direct(nowhere, "x"), "counter", 0});
  const auto result = client.try_call(lost, Read{}, Deadline::never());
  EXPECT_EQ(cause_of(result), Cause::kUnroutable);
  EXPECT_NE(result.error().text().find("circle"), std::string::npos) << result.error().text();
  for (Node* node : {&a, &b, &c}) EXPECT_EQ(node->router().counters().calls_outstanding, 0U);
}

TEST(Routing, NothingGoesBackWhereItCameFrom) {
  Node a("a"), b("b");
  Links ab = link(a, b);
  a.call([&] { a.router().set_default(ab.from); });
  b.call([&] { b.router().set_default(ab.to); });
  Client client(a.proc(ProcId::ranked("a", 0)), "client");
  const auto lost = ActorRef<Counter>::attest(ActorId{ProcId::ranked("x", 0), "counter", 0});
  EXPECT_EQ(cause_of(client.try_call(lost, Read{}, Deadline::never())), Cause::kUnroutable);
  EXPECT_EQ(b.router().counters().forwarded, 1U);
}

class Dialled : public ::testing::Test {
 protected:
  Dialled() {
    a_.call([&] {
      a_.router().set_dialer([this](const ChannelAddr&, Router::DialDone done) {
        ++dials_;
        pending_ = std::move(done);
        asked_.add(true);
      });
    });
  }
  ~Dialled() override {
    a_.call([&] { pending_ = nullptr; });
  }
  const ChannelAddr addr_ = ChannelAddr::unix_abstract("b");
  Node a_{"a"}, b_{"b"};
  Client client_{a_.proc(ProcId::ranked("a", 0)), "client"};
  Proc& proc_ = b_.proc(ProcId::direct(addr_, "worker"));
  ActorRef<Counter> counter_ = value_or_throw(proc_.spawn("counter", std::make_unique<Counter>(0)));
  Router::DialDone pending_;
  int dials_ = 0;
  Record<bool> asked_;
};

TEST_F(Dialled, OnceForAllThatWaitsInOrder) {
  Record<std::int64_t> values;
  for (int i = 0; i < 100; ++i) {
    client_.send(counter_, Add{1});
    client_.call_async(counter_, Read{}, soon(),
                       [&](Result<std::int64_t> value) { values.add(value.value_or(-1)); });
  }
  ASSERT_TRUE(asked_.wait(1));
  Links links = link(a_, b_);
  a_.call([&] { pending_(links.from); });
  ASSERT_TRUE(values.wait(100));
  const auto all = values.get();
  for (std::int64_t i = 0; i < 100; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i + 1);
  a_.call([&] { EXPECT_EQ(dials_, 1); });
}

// Two that write to each other for the first time dial each other.
TEST_F(Dialled, IsTheWayForAllThatIsSentThoughTheOtherSideDialsAsWell) {
  std::array<std::int64_t, 30> values{};  // what each question found when it arrived
  Record<bool> answered;
  const auto send = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      client_.send(counter_, Add{1});
      client_.call_async(counter_, Read{}, soon(), [&, i](Result<std::int64_t> value) {
        values.at(static_cast<std::size_t>(i)) = value.value_or(-1);
        answered.add(true);
      });
    }
  };
  send(0, 10);
  ASSERT_TRUE(asked_.wait(1));
  Links theirs = link(a_, b_);
  Links ours = link(a_, b_);
  a_.call([&] { a_.router().bind_dialler(addr_, theirs.from); });
  send(10, 20);
  a_.call([&] { pending_(ours.from); });
  send(20, 30);

  ASSERT_TRUE(answered.wait(30));
  for (std::int64_t i = 0; i < 30; ++i) ASSERT_EQ(values.at(static_cast<std::size_t>(i)), i + 1);
}

TEST_F(Dialled, IsNobodyWhoHasDialledUs) {
  Links theirs = link(a_, b_);
  a_.call([&] { a_.router().bind_dialler(addr_, theirs.from); });

  EXPECT_EQ(client_.call(counter_, Read{}, soon()), 0);

  a_.call([&] { EXPECT_EQ(dials_, 0); });
}

TEST_F(Dialled, AgainAfterTheLinkClosed) {
  std::promise<Result<std::int64_t>> first;
  client_.call_async(counter_, Read{}, soon(),
                     [&](Result<std::int64_t> value) { first.set_value(std::move(value)); });
  ASSERT_TRUE(asked_.wait(1));
  std::promise<void> closed;
  {
    Ends ends = connect(a_, b_);
    auto to = add_link(b_, ends.to, {});
    auto from = add_link(a_, ends.from,
                         {.name = "b", .on_side_message = nullptr, .on_close = [&](const CloseReason&) {
                            closed.set_value();
                          }});
    a_.call([&] { pending_(from); });
    EXPECT_EQ(first.get_future().get(), 0);
    b_.call([&] { to->abort(Cause::kCancelled, "test"); });
  }
  closed.get_future().get();
  client_.call_async(counter_, Read{}, soon(), [](Result<std::int64_t>) {});
  ASSERT_TRUE(asked_.wait(2));
  a_.call([&] { EXPECT_EQ(dials_, 2); });
}

TEST_F(Dialled, InVainFailsWhatWaits) {
  std::promise<Result<std::int64_t>> answer;
  client_.call_async(counter_, Read{}, Deadline::never(),
                     [&](Result<std::int64_t> value) { answer.set_value(std::move(value)); });
  ASSERT_TRUE(asked_.wait(1));
  a_.call([&] { pending_(Error(Cause::kPeerGone, "nobody listens at unix:@b")); });
  const auto result = answer.get_future().get();
  EXPECT_EQ(cause_of(result), Cause::kPeerGone);
  EXPECT_NE(result.error().text().find("nobody listens"), std::string::npos) << result.error().text();
}

class OnALink : public ::testing::Test {
 protected:
  // What a peer sees of `node_` when it speaks raw messages.
  void start() {
    Ends ends = connect(node_, peer_);
    link_ =
        add_link(node_, ends.from,
                 {.name = "peer",
                  .on_side_message = [this](ByteView frame) { side_.add(Bytes(frame.begin(), frame.end())); },
                  .on_close = [this](const CloseReason& reason) { closed_.add(reason.text); }});
    raw_ = std::move(ends.to);
    peer_.keep(raw_);
    peer_.call([&] {
      raw_->start({.on_message = [this](ByteView bytes,
                                        SendClass) { received_.add(Bytes(bytes.begin(), bytes.end())); },
                   .on_close = nullptr,
                   .on_drained = nullptr});
    });
  }
  void TearDown() override {
    peer_.call([&] { raw_.reset(); });
  }
  void send(Bytes bytes) {
    peer_.call([&] { EXPECT_EQ(raw_->send(SendClass::kControl, std::move(bytes)), SendResult::kQueued); });
  }

  Record<Bytes> side_, received_;
  Record<std::string> closed_;
  Node node_{"node"}, peer_{"peer"};
  std::shared_ptr<Link> link_;
  std::shared_ptr<Connection> raw_;
};

TEST_F(OnALink, SideFramesTravelNextToEnvelopes) {
  start();
  send({0, 1, 2});
  ASSERT_TRUE(side_.wait(1));
  EXPECT_EQ(side_.get().front(), (Bytes{1, 2}));
  node_.call([&] { EXPECT_EQ(link_->send_side({7, 8}), SendResult::kQueued); });
  ASSERT_TRUE(received_.wait(1));
  EXPECT_EQ(received_.get().front(), (Bytes{0, 7, 8}));
}

TEST_F(OnALink, GarbageClosesThatLinkAlone) {
  Node other("other");
  Links good = link(node_, other);
  node_.call([&] { node_.router().bind(ProcId::ranked("other", 0), good.from); });
  const auto counter =
      value_or_throw(other.proc(ProcId::ranked("other", 0)).spawn("counter", std::make_unique<Counter>(4)));
  Client client(node_.proc(ProcId::ranked("node", 0)), "client");
  const std::vector<Bytes> garbage = {
      {},
      {2, 1, 2, 3},
      {1},
      {1, 1, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255},
      encode_envelope(
          Envelope{.kind = EnvelopeKind::kCall, .dest = {}, .sender = {}, .ttl = 3, .payload = {}}),
  };
  for (const Bytes& bytes : garbage) {
    const std::size_t before = closed_.get().size();
    start();
    send(bytes);
    ASSERT_TRUE(closed_.wait(before + 1));
    EXPECT_EQ(client.call(counter, Read{}, soon()), 4);
  }
}

TEST_F(OnALink, AnswersToCallsThatWereNotMadeAreCountedAndDropped) {
  start();
  send(encode_envelope(
      Envelope{.kind = EnvelopeKind::kReply, .dest = {}, .sender = {}, .call = 99, .payload = {}}));
  send({0, 1});
  ASSERT_TRUE(side_.wait(1));
  EXPECT_EQ(node_.router().counters().late_replies, 1U);
  EXPECT_TRUE(closed_.get().empty());
}

TEST_F(OnALink, AnAnswerFromAnotherLinkThanTheCallWentIsNotBelieved) {
  Node honest("honest");
  Links good = link(node_, honest);
  node_.call([&] { node_.router().bind(ProcId::ranked("honest", 0), good.from); });
  const auto counter =
      value_or_throw(honest.proc(ProcId::ranked("honest", 0)).spawn("counter", std::make_unique<Counter>(4)));
  Client client(node_.proc(ProcId::ranked("node", 0)), "client");
  std::promise<Result<std::string>> answer;
  client.call_async(counter, Hold{}, soon(),
                    [&](Result<std::string> value) { answer.set_value(std::move(value)); });
  EXPECT_EQ(client.call(counter, Read{}, soon()), 4);
  start();
  for (std::uint64_t call = 0; call < 10; ++call) {
    send(encode_envelope(Envelope{.kind = EnvelopeKind::kReply,
                                  .dest = {},
                                  .sender = {},
                                  .call = call,
                                  .payload = wire::encode(std::string("forged"))}));
  }
  send({0, 1});
  ASSERT_TRUE(side_.wait(1));
  client.send(counter, Release{"genuine"});
  EXPECT_EQ(answer.get_future().get(), std::string("genuine"));
}

}  // namespace
}  // namespace hostmesh
