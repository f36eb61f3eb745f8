// A program with actors on several machines: they talk across all pairs, they live through what passes, and
// the loss of one machine is the loss of one.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <map>
#include <optional>
#include <thread>

#include "hostmesh/hostmesh.hpp"
#include "mesh/record.hpp"
#include "system/network_fixture.hpp"

namespace hostmesh::test {
namespace {

// Goes to `to`, unless that is where it is, and then home.
struct Number {
  std::int64_t value = 0;
  std::vector<ActorId> to;
  PortRef<std::int64_t> home;
};

class Station : public Actor {
 public:
  using Handles = Messages<Number>;

  void handle(Context& context, const Number& number) {
    if (number.to.empty()) return context.send(number.home, number.value);
    context.send(ActorRef<Station>::attest(number.to.front()),
                 Number{.value = number.value, .to = {}, .home = number.home});
  }
};

ActorTable stations() {
  ActorTable table;
  table.add<Station>("station");
  return table;
}

// By the two ways home: over ssh's stdin and stdout, and directly over tcp with TLS, where hosts reach each
// other as well.
class NetworkMesh : public NetworkTest, public ::testing::WithParamInterface<const char*> {
 protected:
  // Owner and member lose patience quickly, so that the tests need none.
  NetworkMesh() {
    config_.set(ConfigLayer::kRuntime, attribute::kHeartbeatTimeout, std::chrono::seconds(6));
    config_.set(ConfigLayer::kRuntime, attribute::kOwnerTimeout, std::chrono::seconds(8));
    config_.set(ConfigLayer::kRuntime, attribute::kTcpBind, std::string_view("10.77.0.1"));
  }
  void TearDown() override {
    workers_.reset();
    hosts_.reset();
    runtime_.reset();
  }

  // A host on each node, and on each of those a proc with a station.
  void start_stations(std::size_t nodes, int loss_percent = 0) {
    start(nodes, "connection: " + std::string(GetParam()));
    if (loss_percent > 0) network_->lose(loss_percent);
    runtime_.emplace(stations(), RuntimeOptions{.config = config_});
    AllocateOptions recorded{.on_state = [record = states_](const ProcState& state) { record->add(state); }};
    hosts_.emplace(HostMesh::allocate(
        *runtime_,
        load_allocator(plugins_yaml(), "lab", *runtime_)->allocate(AllocSpec{.extent = {{"hosts", nodes}}}),
        "test", recorded));
    ProcOptions options;
    options.bootstrap = BootstrapCommand::this_program();
    options.on_change = [record = changes_](const ProcChange& change) { record->add(change); };
    workers_.emplace(hosts_->spawn("workers", {}, options));
    stations_ = workers_->spawn<Station>("station");
  }
  Client& client() { return runtime_->client(); }

  // Sends the numbers from `first` up to `end` from each station to each other of these nodes, and home.
  struct Pairs {
    std::vector<std::size_t> nodes;
    std::int64_t first = 0;
    std::int64_t end = 0;
  };
  void send(const Pairs& pairs, const PortRef<std::int64_t>& home) {
    for (std::int64_t i = pairs.first; i < pairs.end; ++i) {
      for (const std::size_t from : pairs.nodes) {
        for (const std::size_t to : pairs.nodes) {
          const auto value = static_cast<std::int64_t>((i * 100 + from * 10 + to));
          client().send(stations_->at(from - 1),
                        Number{.value = value, .to = {stations_->at(to - 1).id()}, .home = home});
        }
      }
    }
  }
  // Each of these comes home once, those of one pair in their order, and nothing else does.
  void expect_all(const Pairs& pairs, PortReceiver<std::int64_t>& arrived) {
    std::map<std::int64_t, std::int64_t> next;  // by pair
    const auto expected =
        static_cast<std::size_t>(pairs.end - pairs.first) * pairs.nodes.size() * pairs.nodes.size();
    for (std::size_t i = 0; i < expected; ++i) {
      const auto value = arrived.receive(soon());
      ASSERT_TRUE(value) << "after " << i << " of " << expected << ": " << value.error().text();
      const auto at = next.emplace(*value % 100, pairs.first).first;
      ASSERT_EQ(*value / 100, at->second++) << "of the pair " << *value % 100;
    }
    EXPECT_FALSE(arrived.receive(Deadline::after(std::chrono::milliseconds(50)))) << "more than was sent";
  }
  void expect_all_pairs_talk(const std::vector<std::size_t>& nodes) {
    auto [home, arrived] = client().open_port<std::int64_t>();
    send({.nodes = nodes, .first = 0, .end = 3}, home);
    expect_all({.nodes = nodes, .first = 0, .end = 3}, arrived);
  }

  // How its host ended, once it has.
  StopReason end_of_host(std::size_t number) {
    StopReason reason;
    EXPECT_TRUE(states_->wait_until([&](const std::vector<ProcState>& states) {
      return std::ranges::any_of(states, [&](const ProcState& state) {
        const auto* stopped = std::get_if<ProcStopped>(&state);
        if (stopped == nullptr || stopped->rank != number - 1) return false;
        reason = stopped->reason;
        return true;
      });
    }));
    return reason;
  }
  StopReason end_of_proc(std::size_t number) {
    StopReason reason;
    EXPECT_TRUE(changes_->wait_until([&](const std::vector<ProcChange>& changes) {
      return std::ranges::any_of(changes, [&](const ProcChange& change) {
        if (change.rank != number - 1 || !change.reason) return false;
        reason = *change.reason;
        return true;
      });
    }));
    return reason;
  }
  // node2 is lost, alone, as what a machine is lost by; the others live on and go when they are told.
  void expect_only_node2_lost(const std::string& why) {
    using Kind = StopReason::Kind;
    const StopReason host = end_of_host(2);
    EXPECT_EQ(host.kind, Kind::kHostWatchdog) << host.text();
    EXPECT_TRUE(says(host.text(), why));
    const StopReason proc = end_of_proc(2);
    // A host that leaves in order kills its procs, and may still say so.
    if (proc.kind != Kind::kKilled) {
      EXPECT_EQ(proc.kind, Kind::kHostWatchdog) << proc.text();
      EXPECT_TRUE(says(proc.text(), "node2"));
    }
    expect_all_pairs_talk({1, 3, 4});
    hosts_->shutdown();
    expect_nothing_on({1, 3, 4});
    for (const std::size_t number : {1, 3, 4}) {
      EXPECT_EQ(end_of_host(number).kind, Kind::kStopped) << end_of_host(number).text();
    }
  }

 private:
  // In shared ownership, because a callback may come as long as the runtime lives.
  const std::shared_ptr<Record<ProcState>> states_ = std::make_shared<Record<ProcState>>();
  const std::shared_ptr<Record<ProcChange>> changes_ = std::make_shared<Record<ProcChange>>();

 protected:
  Config config_ = Config::from_process_environment();
  std::optional<Runtime> runtime_;
  std::optional<HostMesh> hosts_;
  std::optional<ProcMesh> workers_;
  std::optional<ActorMesh<Station>> stations_;
};

TEST_P(NetworkMesh, ActorsOnFourMachinesTalkAcrossAllPairsAndLeaveNothing) {
  start_stations(4);

  expect_all_pairs_talk({1, 2, 3, 4});

  hosts_->shutdown();
  expect_nothing_on({1, 2, 3, 4});
}

TEST_P(NetworkMesh, ACableThatIsOutForTwoSecondsCostsNothingButTime) {
  // The kernel repeats what was lost after a second, three, six: nobody is to lose patience meanwhile.
  config_.set(ConfigLayer::kRuntime, attribute::kHeartbeatTimeout, std::chrono::seconds(20));
  config_.set(ConfigLayer::kRuntime, attribute::kOwnerTimeout, std::chrono::seconds(60));
  start_stations(4);
  auto [home, arrived] = client().open_port<std::int64_t>();
  send({.nodes = {1, 2, 3, 4}, .first = 0, .end = 50}, home);
  node(2).unplug();
  send({.nodes = {1, 2, 3, 4}, .first = 50, .end = 100}, home);

  // What comes from the others is left where it is.
  std::this_thread::sleep_until(Deadline::after(std::chrono::seconds(2)).when());
  node(2).plug_in();
  send({.nodes = {1, 2, 3, 4}, .first = 100, .end = 150}, home);

  expect_all({.nodes = {1, 2, 3, 4}, .first = 0, .end = 150}, arrived);
  hosts_->shutdown();
  expect_nothing_on({1, 2, 3, 4});
}

TEST_P(NetworkMesh, ACableThatIsPulledOutIsTheEndOfThatMachineAlone) {
  start_stations(4);
  expect_all_pairs_talk({1, 2, 3, 4});

  node(2).unplug();

  expect_only_node2_lost("it gave no sign of life for 6s");
  EXPECT_FALSE(node(2).sessions().empty()) << "its daemon has heard of nothing";
  expect_nothing_on({2});
}

// It still speaks, and hears nothing: no acknowledgement, no question.
TEST_P(NetworkMesh, AMachineThatHearsNothingIsTheEndOfThatMachineAlone) {
  start_stations(4);
  expect_all_pairs_talk({1, 2, 3, 4});

  node(2).lose(100);

  expect_only_node2_lost("it gave no sign of life for 6s");
  expect_nothing_on({2});
}

// Shutdown asks all hosts, and waits for those that are there.
TEST_P(NetworkMesh, AShutdownEndsThoughAMachineIsCutOff) {
  start_stations(3);
  node(2).unplug();

  hosts_->shutdown();

  EXPECT_EQ(end_of_host(2).kind, StopReason::Kind::kHostWatchdog) << end_of_host(2).text();
  for (const std::size_t number : {1, 3}) {
    EXPECT_EQ(end_of_host(number).kind, StopReason::Kind::kStopped) << end_of_host(number).text();
  }
  expect_nothing_on({1, 2, 3});
}

TEST_P(NetworkMesh, AMachineThatIsFrozenIsTheEndOfThatMachineAlone) {
  start_stations(4);
  expect_all_pairs_talk({1, 2, 3, 4});

  node(2).freeze();

  expect_only_node2_lost("it gave no sign of life for 6s");
  node(2).thaw();
  expect_nothing_on({2});
}

TEST_P(NetworkMesh, AnSshSessionThatIsKilledIsTheEndOfThatMachineAlone) {
  start_stations(4);
  expect_all_pairs_talk({1, 2, 3, 4});
  const auto sessions = node(2).sessions();
  ASSERT_FALSE(sessions.empty());

  for (const pid_t session : sessions) ::kill(session, SIGKILL);

  expect_only_node2_lost("the connection to node2 is lost");
  expect_nothing_on({2});
}

TEST_P(NetworkMesh, AHostThatIsKilledTakesItsProcsWithItAndNobodyElse) {
  start_stations(4);
  expect_all_pairs_talk({1, 2, 3, 4});
  const auto hosts = node(2).processes("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 1U);

  ::kill(hosts.front(), SIGKILL);

  expect_only_node2_lost("the connection to node2 is lost");
  expect_nothing_on({2});
}

TEST_P(NetworkMesh, EveryTwentiethPacketMayGetLost) {
  start_stations(4, 5);
  auto [home, arrived] = client().open_port<std::int64_t>();

  send({.nodes = {1, 2, 3, 4}, .first = 0, .end = 100}, home);

  expect_all({.nodes = {1, 2, 3, 4}, .first = 0, .end = 100}, arrived);
  hosts_->shutdown();
  expect_nothing_on({1, 2, 3, 4});
}

INSTANTIATE_TEST_SUITE_P(Over, NetworkMesh, ::testing::Values("ssh", "tcp"),
                         [](const auto& one) { return std::string(one.param); });

}  // namespace
}  // namespace hostmesh::test

int main(int argc, char** argv) {
  hostmesh::bootstrap_if_child(hostmesh::test::stations());
  // With its first thread a program gets those of a sanitizer, which are nobody's to count.
  std::thread([] {}).join();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
