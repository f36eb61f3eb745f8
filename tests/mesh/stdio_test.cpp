// Hosts whose only way to anybody is their stdin and stdout. A script stands in for the ssh client: it
// greets, as profiles do, and runs what the real one would run elsewhere.
#include <csignal>
#include <set>

#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

class Stdio : public MeshTest {
 protected:
  Stdio() { use_allocator("stdio"); }
};

TEST_F(Stdio, EveryPairOfActorsCanTalk) {
  HostMesh mesh = hosts({{"hosts", 3}});
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
}

TEST_F(Stdio, AHostIsLaunchedWhenItsGreetingIsOver) {
  HostMesh mesh = hosts({{"hosts", 1}});

  const auto created = host_states<ProcCreated>();
  ASSERT_EQ(created.size(), 1U);
  EXPECT_EQ(created[0].node, "one1");
  EXPECT_EQ(created[0].pid, 0);
  mesh.shutdown();
  const auto stopped = host_states<ProcStopped>();
  ASSERT_EQ(stopped.size(), 1U);
  EXPECT_EQ(stopped[0].reason.kind, StopReason::Kind::kStopped) << stopped[0].reason.text();
}

TEST_F(Stdio, AHostThatDoesNotComeUpIsAnErrorWithAllThatItSaid) {
  use_allocator("stdio_broken");

  const Error error = error_of([&] { hosts({{"hosts", 1}}); });

  EXPECT_NE(error.text().find("there is no "), std::string::npos) << error.text();
  EXPECT_NE(error.text().find("a word on stderr"), std::string::npos) << error.text();
}

TEST_F(Stdio, MoreRanksThanPlacesIsAnErrorThatSaysSo) {
  const Error error = error_of([&] { hosts({{"hosts", 9}}); });

  EXPECT_NE(error.text().find("rank 8 has no place: 8 hosts have 8 slots in all"), std::string::npos)
      << error.text();
}

}  // namespace
}  // namespace hostmesh::test
