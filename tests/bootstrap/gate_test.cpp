#include "hostmesh/bootstrap/gate.hpp"

#include <gtest/gtest.h>

#include "bootstrap/owner.hpp"
#include "support/leaks.hpp"

namespace hostmesh::bootstrap::test {
namespace {

using hostmesh::test::Dialling;
using hostmesh::test::End;
using hostmesh::test::LeakCheck;
using hostmesh::test::Loop;
using hostmesh::test::Seen;
using Kind = StopReason::Kind;

Bytes side(Bytes message) {
  message.insert(message.begin(), 0);  // the frame of a link that is not an envelope
  return message;
}

// What a child does, by hand: one connection to the gate.
class Visitor {
 public:
  Visitor(Loop& loop, std::shared_ptr<Connection> connection) : end_(loop, std::move(connection)) {
    end_.start();
  }

  void send(Bytes message) {
    end_.loop().call([&] { end_->send(SendClass::kControl, side(std::move(message))); });
  }
  template <class M>
  void say(const M& message) {
    send(pack(message));
  }
  // Waits for the message with that number, from 0, and reads it.
  template <class M>
  M take(std::size_t index) {
    EXPECT_TRUE(end_.wait_messages(index + 1)) << "the owner says nothing";
    const auto messages = end_.seen().get().messages;
    if (messages.size() <= index) return {};
    const std::string& text = messages[index].second;
    const Bytes bytes(text.begin() + 1, text.end());
    EXPECT_EQ(type_of(bytes), M::kType);
    const auto message = unpack<M>(bytes);
    EXPECT_TRUE(message);
    return message ? *message : M{};
  }
  std::size_t messages() { return end_.seen().get().messages.size(); }
  [[nodiscard]] bool is_closed() { return end_.wait_closed(); }
  std::string why() { return end_.seen().get().closes.at(0).text; }
  void leave() { end_.close("leaving"); }
  void vanish() { end_.drop(); }

  // From Hello to StartedProc.
  void start() {
    say(Hello{.pid = 1, .node = "n", .addr = {}});
    const StartProc order = take<StartProc>(0);
    say(StartedProc{.proc_id = order.proc_id, .agent = {order.proc_id, "agent", 0}, .addr = {}});
  }

 private:
  End end_;
};

class GateTest : public ::testing::Test {
 protected:
  void SetUp() override { allocate(); }
  void TearDown() override {
    visitors_.clear();
    alloc.reset();
    loop.reset();
    owner.reset();
    leaks_.check();
  }
  void allocate(ChildTiming timing = kPatient, bool held_back = false) {
    alloc.reset();
    alloc = std::make_unique<Allocation>(*owner, "alloc", 3, timing, held_back);
  }

  Result<std::shared_ptr<Connection>> dial(const PeerClaim& claim, const Secret& secret) {
    Dialling dialling(*loop, owner->addr,
                      {.claim = claim,
                       .key = key_for(secret, claim),
                       .deadline = Deadline::after(kHang),
                       .expected_server_identity = kOwnerIdentity});
    return dialling.get();
  }
  Visitor& visit(const PeerClaim& claim) {
    auto connection = dial(claim, alloc->secret);
    if (!connection) throw connection.error();
    return *visitors_.emplace_back(std::make_unique<Visitor>(*loop, *std::move(connection)));
  }
  Visitor& visit(Rank rank) { return visit(alloc->claim(rank)); }
  Error refusal(const PeerClaim& claim, const Secret& secret) {
    auto connection = dial(claim, secret);
    if (!connection) return connection.error();
    loop->call([&] { connection = Result<std::shared_ptr<Connection>>(nullptr); });
    return Error(Cause::kNone, "let in");
  }
  std::uint64_t refused() {
    return owner->call([this] { return owner->node.gate.refused(); });
  }

  // The offender is killed with that reason, and the others are none the worse for it.
  void expect_breach(ChildId offender, const std::string& how) {
    ASSERT_TRUE(alloc->is(offender, "stopped"));
    EXPECT_EQ(alloc->fate(offender).reason.kind, Kind::kWatchdog);
    EXPECT_EQ(alloc->fate(offender).reason.signal, SIGKILL);
    const std::string text = alloc->fate(offender).reason.text();
    EXPECT_NE(text.find("it broke the protocol: " + how), std::string::npos) << text;
    const Rank healthy = offender == 2 ? 1 : 2;
    visit(healthy).start();
    EXPECT_TRUE(alloc->is(healthy, "running"));
  }

  const LeakCheck leaks_;
  std::unique_ptr<Owner> owner = std::make_unique<Owner>();
  std::unique_ptr<Loop> loop = std::make_unique<Loop>();
  std::unique_ptr<Allocation> alloc;

 private:
  std::vector<std::unique_ptr<Visitor>> visitors_;
};

TEST_F(GateTest, AChildThatSaysHelloIsStartedAndRuns) {
  Visitor& child = visit(1);
  child.say(Hello{.pid = 12, .node = "n", .addr = {}});
  const StartProc order = child.take<StartProc>(0);
  EXPECT_EQ(order.proc_id.text(), "alloc[1]");
  EXPECT_EQ(order.owner_addr, owner->addr);
  child.say(StartedProc{.proc_id = order.proc_id, .agent = {order.proc_id, "agent", 0}, .addr = {}});
  ASSERT_TRUE(alloc->is(1, "running"));
  EXPECT_TRUE(owner->call([&] { return alloc->started_links[1] && alloc->started_links[1]->is_open(); }));
  EXPECT_EQ(alloc->phase(0), ChildPhase::kCreated) << "the others are still awaited";
}

TEST_F(GateTest, AStopReachesTheChildInWords) {
  Visitor& child = visit(0);
  child.start();
  ASSERT_TRUE(alloc->is(0, "running"));
  owner->call([&] { alloc->children().stop(0); });
  EXPECT_EQ(child.take<StopAndExit>(1).code, 0);
}

TEST_F(GateTest, WhoeverSaysHelloAfterTheStopIsToldToStop) {
  // Given a child that is on its way out and that TERM does not impress
  owner->call([&] {
    alloc->launcher->immortal = true;
    alloc->children().stop(0);
  });
  Visitor& child = visit(0);
  child.say(Hello{});
  EXPECT_EQ(child.take<StopAndExit>(0).code, 0);
}

TEST_F(GateTest, HelloBeforeTheLauncherReportsIsAnsweredOnceItDoes) {
  allocate(kPatient, true);
  Visitor& child = visit(0);
  child.say(Hello{});
  // A further visitor's handshake is a sign that the Hello has been taken.
  visit(1);
  EXPECT_EQ(child.messages(), 0u);
  owner->call([&] { alloc->launcher->report_launched(); });
  const StartProc order = child.take<StartProc>(0);
  child.say(StartedProc{.proc_id = order.proc_id, .agent = {order.proc_id, "agent", 0}, .addr = {}});
  EXPECT_TRUE(alloc->is(0, "running"));
}

TEST_F(GateTest, HeartbeatsArePassedOnBothWays) {
  ChildTiming timing = kPatient;
  timing.heartbeat = 300ms;
  allocate(timing);
  Visitor& child = visit(0);
  child.start();
  for (std::size_t turn = 1; turn <= 6; ++turn) {  // twice as long as silence would be borne
    child.take<Heartbeat>(turn);
    child.say(Heartbeat{});
  }
  EXPECT_FALSE(alloc->fate(0).has("stopped"));
}

TEST_F(GateTest, AStrangerIsRefusedAndNobodyElseMindsIt) {
  Visitor& healthy = visit(0);
  PeerClaim unknown = alloc->claim(1);
  unknown.allocation = "another";
  PeerClaim peer = alloc->claim(1);
  peer.role = Role::kPeer;
  const std::vector<std::pair<std::string, Error>> refusals{
      {"a wrong secret", refusal(alloc->claim(1), Secret::random())},
      {"an unknown allocation", refusal(unknown, alloc->secret)},
      {"a rank that is not there", refusal(alloc->claim(3), alloc->secret)},
      {"a later incarnation", refusal(alloc->claim(1, 1), alloc->secret)},
      {"a peer where none are let in", refusal(peer, alloc->secret)},
  };
  for (const auto& [what, error] : refusals)
    EXPECT_EQ(error.cause(), Cause::kAuthentication) << what << error.text();
  EXPECT_EQ(refused(), refusals.size());
  healthy.start();
  EXPECT_TRUE(alloc->is(0, "running"));
  visit(1).start();
  EXPECT_TRUE(alloc->is(1, "running")) << "whom they pretended to be";
}

TEST_F(GateTest, TheKeyOfOneRankIsNotThatOfAnother) {
  Dialling dialling(*loop, owner->addr,
                    {.claim = alloc->claim(1),
                     .key = key_for(alloc->secret, alloc->claim(0)),
                     .deadline = Deadline::after(kHang)});
  const auto connection = dialling.get();
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().cause(), Cause::kAuthentication);
}

TEST_F(GateTest, AChildThatHasEndedIsNotLetInAgain) {
  owner->call([&] { alloc->children().kill(0); });
  ASSERT_TRUE(alloc->is(0, "stopped"));
  EXPECT_EQ(refusal(alloc->claim(0), alloc->secret).cause(), Cause::kAuthentication);
}

TEST_F(GateTest, WhoeverDoesNotBeginWithHelloBreaksTheProtocol) {
  visit(0).say(Heartbeat{});
  expect_breach(0, "its first message was not Hello");
}

TEST_F(GateTest, HelloTwiceOnOneConnectionBreaksTheProtocol) {
  Visitor& child = visit(0);
  child.say(Hello{});
  child.say(Hello{});
  expect_breach(0, "it said Hello twice");
}

TEST_F(GateTest, StartedProcWithAnotherIdBreaksTheProtocol) {
  Visitor& child = visit(0);
  child.say(Hello{});
  child.take<StartProc>(0);
  child.say(StartedProc{.proc_id = ProcId::ranked("alloc", 1), .agent = {}, .addr = {}});
  expect_breach(0, "it started alloc[1] and not alloc[0]");
}

TEST_F(GateTest, StartedProcTwiceBreaksTheProtocol) {
  Visitor& child = visit(0);
  child.start();
  ASSERT_TRUE(alloc->is(0, "running"));
  child.say(StartedProc{.proc_id = ProcId::ranked("alloc", 0), .agent = {}, .addr = {}});
  expect_breach(0, "it said StartedProc twice");
}

TEST_F(GateTest, AnotherVersionBreaksTheProtocolAndBothAreNamed) {
  visit(0).say(Hello{.version = 9});
  expect_breach(0, "it speaks version 9 of the protocol, its owner 1");
}

TEST_F(GateTest, AHelloThatCannotBeReadBreaksTheProtocol) {
  visit(0).send(Bytes{1, 0xff, 0xff, 0xff, 0xff, 7});
  expect_breach(0, "a Hello that cannot be read");
}

TEST_F(GateTest, AMessageOfAnUnknownTypeBreaksTheProtocol) {
  Visitor& child = visit(1);
  child.say(Hello{});
  child.send(Bytes{200, 1, 2, 3});
  expect_breach(1, "a message of an unknown type");
}

TEST_F(GateTest, NoBytesAtAllBreakTheProtocol) {
  visit(0).send({});
  expect_breach(0, "its first message was not Hello");
}

TEST_F(GateTest, ASecondConnectionWithHelloIsClosedAndTheFirstKeepsWorking) {
  Visitor& first = visit(0);
  first.say(Hello{});
  const StartProc order = first.take<StartProc>(0);
  // When a second one comes, says Hello, and more
  Visitor& second = visit(0);
  second.say(Hello{});
  second.say(StartedProc{.proc_id = ProcId::ranked("elsewhere", 7), .agent = {}, .addr = {}});
  second.say(Hello{});
  ASSERT_TRUE(second.is_closed());
  EXPECT_NE(second.why().find("another connection said Hello first"), std::string::npos) << second.why();
  EXPECT_EQ(second.messages(), 0u);
  second.vanish();
  // And the gate has had time to hear that it is gone
  Visitor& third = visit(0);
  third.say(Hello{});
  ASSERT_TRUE(third.is_closed());
  // Then nothing of that counted
  EXPECT_EQ(alloc->phase(0), ChildPhase::kConnected);
  first.say(StartedProc{.proc_id = order.proc_id, .agent = {order.proc_id, "agent", 0}, .addr = {}});
  EXPECT_TRUE(alloc->is(0, "running"));
  owner->call([&] { alloc->children().stop(0); });
  EXPECT_EQ(first.take<StopAndExit>(1).code, 0);
}

TEST_F(GateTest, AnEndOfTheConnectionAfterHelloIsTheReasonWhenTheProcessStays) {
  ChildTiming timing = kPatient;
  timing.exit = 20ms;
  for (const bool orderly : {true, false}) {
    allocate(timing);
    Visitor& child = visit(0);
    child.start();
    ASSERT_TRUE(alloc->is(0, "running"));
    orderly ? child.leave() : child.vanish();
    ASSERT_TRUE(alloc->is(0, "stopped"));
    const std::string text = alloc->fate(0).reason.text();
    EXPECT_EQ(text.find("it closed its connection ("), 0u) << text;
    EXPECT_EQ(alloc->fate(0).reason.signal, SIGTERM);
  }
}

TEST_F(GateTest, AnEndBeforeHelloIsNoEndYet) {
  visit(0).vanish();
  visit(0).start();
  EXPECT_TRUE(alloc->is(0, "running"));
}

TEST_F(GateTest, AfterTheEndOfItsAllocationNobodyIsLeftInside) {
  Visitor& running = visit(0);
  running.start();
  ASSERT_TRUE(alloc->is(0, "running"));
  Visitor& silent = visit(1);
  const Secret peers = Secret::random();
  owner->call([&] { owner->node.gate.admit_peers("alloc", peers); });
  PeerClaim claim = alloc->claim(7);
  claim.role = Role::kPeer;
  auto connection = dial(claim, peers);
  ASSERT_TRUE(connection) << connection.error().text();
  Visitor peer(*loop, *std::move(connection));
  owner->call([&] { owner->node.gate.dismiss("alloc"); });
  EXPECT_TRUE(running.is_closed());
  EXPECT_TRUE(silent.is_closed());
  EXPECT_TRUE(peer.is_closed());
  EXPECT_EQ(refusal(alloc->claim(2), alloc->secret).cause(), Cause::kAuthentication);
  EXPECT_EQ(refusal(claim, peers).cause(), Cause::kAuthentication);
  // And a stop that comes afterwards finds a closed connection and does no harm.
  owner->call([&] { alloc->children().stop(0); });
}

TEST_F(GateTest, PeersNeedTheKeyOfPeers) {
  const Secret peers = Secret::random();
  owner->call([&] { owner->node.gate.admit_peers("alloc", peers); });
  PeerClaim claim = alloc->claim(7);
  claim.role = Role::kPeer;
  claim.process = "unix:@somewhere";
  EXPECT_EQ(refusal(claim, alloc->secret).cause(), Cause::kAuthentication);
  EXPECT_EQ(refusal(claim, peers).text(), "let in");
  EXPECT_EQ(refusal(alloc->claim(0), peers).cause(), Cause::kAuthentication) << "which is no child's";
}

TEST_F(GateTest, TwoAllocationsShareAGateAndNotTheirSecrets) {
  Allocation other(*owner, "other", 1);
  EXPECT_EQ(refusal(other.claim(0), alloc->secret).cause(), Cause::kAuthentication);
  auto connection = dial(other.claim(0), other.secret);
  ASSERT_TRUE(connection);
  Visitor child(*loop, *std::move(connection));
  child.start();
  EXPECT_TRUE(other.is(0, "running"));
  EXPECT_EQ(alloc->phase(0), ChildPhase::kCreated);
}

TEST_F(GateTest, AnOwnerMayGoWhileChildrenAreConnected) {
  Visitor& child = visit(0);
  child.start();
  ASSERT_TRUE(alloc->is(0, "running"));
  // The gate goes with its connections, without anybody having been dismissed before.
  alloc->end_of_the_owner();
  owner.reset();
  EXPECT_TRUE(child.is_closed());
}

}  // namespace
}  // namespace hostmesh::bootstrap::test
