// Meshes of real processes over tcp, TLS and sessions, as between machines; only that it is one machine.
#include <csignal>
#include <set>

#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

class Tls : public MeshTest {
 protected:
  Tls() {
    config().set(ConfigLayer::kTestOverride, attribute::kTcpTlsLoopback, true);
    // What only a grace period ends hangs: longer than any wait here.
    config().set(ConfigLayer::kTestOverride, attribute::kSessionGrace, std::chrono::hours(1));
    config().set(ConfigLayer::kTestOverride, attribute::kHeartbeatTimeout, Duration::zero());
  }
  HostMesh hosts_over_tls(std::uint64_t count) {
    return hosts({.extent = {{"hosts", count}}, .transport = Transport::kTcp});
  }
};

TEST_F(Tls, EveryPairOfActorsCanTalk) {
  HostMesh mesh = hosts_over_tls(3);
  for (const HostRef& host : mesh.ref().hosts()) EXPECT_EQ(host.addr().transport(), Transport::kTcp);
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  auto counters = workers.spawn<Counter>("counter", 0);
  auto [home, arrived] = client().open_port<std::vector<ActorId>>();

  for (Rank from = 0; from < 6; ++from) {
    for (Rank to = 0; to < 6; ++to) {
      client().send(counters.at(from), Visit{.ahead = {counters.at(to).id()}, .seen = {}, .home = home});
    }
  }

  std::set<std::pair<std::string, std::string>> pairs;
  for (int i = 0; i < 36; ++i) {
    const auto seen = arrived.receive(soon());
    ASSERT_TRUE(seen) << "after " << i << ": " << seen.error().text();
    pairs.emplace(seen->at(0).text(), seen->at(1).text());
  }
  EXPECT_EQ(pairs.size(), 36U);
  mesh.shutdown();
  for (const ProcStopped& stopped : host_states<ProcStopped>()) {
    EXPECT_EQ(stopped.reason.kind, StopReason::Kind::kStopped) << stopped.reason.text();
  }
}

TEST_F(Tls, AHostThatIsKilledIsKnownToBeGoneBeforeAnyGraceIsOver) {
  HostMesh mesh = hosts_over_tls(2);
  ProcMesh workers = procs(mesh, {{"gpus", 1}});
  auto counters = workers.spawn<Counter>("counter", 1);
  const Watched its_proc(workers.procs().at(1).pid);
  // Host 0 has a connection to host 1.
  auto [home, arrived] = client().open_port<std::vector<ActorId>>();
  client().send(counters.at(0), Visit{.ahead = {counters.at(1).id()}, .seen = {}, .home = home});
  ASSERT_TRUE(arrived.receive(soon()));

  ASSERT_EQ(::kill(static_cast<pid_t>(host_pid(1)), SIGKILL), 0);

  EXPECT_TRUE(its_proc.ends());
  EXPECT_TRUE(states().wait_until([](const std::vector<ProcState>& all) {
    return std::ranges::any_of(all, [](const ProcState& state) {
      const auto* stopped = std::get_if<ProcStopped>(&state);
      return stopped != nullptr && stopped->rank == 1;
    });
  }));
  const auto later = client().try_call(counters.at(1), Read{}, soon());
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().cause(), Cause::kPeerGone) << later.error().text();
  EXPECT_EQ(client().call(counters.at(0), Read{}, soon()), 1);
  mesh.shutdown();
}

TEST_F(Tls, AHostWhoseProcessWasStoppedForLongerThanItsConnectionsAreAllowedToBeSilentGoesOn) {
  config().set(ConfigLayer::kTestOverride, attribute::kSessionSilence, std::chrono::milliseconds(200));
  HostMesh mesh = hosts_over_tls(2);
  ProcMesh workers = procs(mesh, {{"gpus", 1}});
  auto counters = workers.spawn<Counter>("counter", 1);
  const auto host = static_cast<pid_t>(host_pid(1));

  ASSERT_EQ(::kill(host, SIGSTOP), 0);
  const auto stuck = client().try_call(counters.at(1), Read{}, Deadline::after(std::chrono::seconds(1)));
  ASSERT_EQ(::kill(host, SIGCONT), 0);

  EXPECT_FALSE(stuck);
  EXPECT_EQ(client().call(counters.at(1), Read{}, soon()), 1);
  EXPECT_TRUE(host_states<ProcStopped>().empty());
  mesh.shutdown();
}

}  // namespace
}  // namespace hostmesh::test
