// How configuration reaches hosts and procs.
#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

class Configuration : public MeshTest {
 protected:
  static constexpr const char* kName = "MESH_TAIL_LOG_LINES";

  std::string seen_by(const ActorId& agent) {
    const auto all = client().call(ActorRef<ProcAgentProtocol>::attest(agent), GetConfig{}, soon());
    const auto found = all.find(kName);
    return found == all.end() ? "unset" : found->second;
  }
  std::string seen_by_host(Rank rank) { return seen_by(host_states<ProcRunning>().at(rank).agent); }
  std::string seen_by_proc(const ProcMesh& procs, Rank rank) {
    return seen_by({.proc = procs.proc_id(rank), .name = kAgentActor});
  }
  static BootstrapCommand with_variable(BootstrapCommand command) {
    command.environment.push_back(std::string("HOSTMESH_") + kName + "=9");
    return command;
  }
};

TEST_F(Configuration, WhatTheClientSetsHoldsInHostsAndProcs) {
  config().set(ConfigLayer::kRuntime, attribute::kTailLogLines, 7);
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {});

  EXPECT_EQ(seen_by_host(0), "7");
  EXPECT_EQ(seen_by_proc(workers, 0), "7");
  mesh.shutdown();
}

TEST_F(Configuration, WhatNobodySetsIsNotSent) {
  HostMesh mesh = hosts({{"hosts", 1}});

  EXPECT_EQ(seen_by_host(0), "unset");
  mesh.shutdown();
}

TEST_F(Configuration, TheEnvironmentOfAChildMasksIt) {
  config().set(ConfigLayer::kRuntime, attribute::kTailLogLines, 7);
  HostMesh mesh = HostMesh::allocate(
      runtime(), alloc({.extent = {{"hosts", 1}}}, with_variable(BootstrapCommand::stock())), "test",
      recorded());
  ProcMesh plain = procs(mesh, {});
  ProcMesh masked = mesh.spawn("workers", {}, {.bootstrap = with_variable(BootstrapCommand::this_program())});

  EXPECT_EQ(seen_by_host(0), "9");
  EXPECT_EQ(seen_by_proc(plain, 0), "7") << "a host's environment is not its procs'";
  EXPECT_EQ(seen_by_proc(masked, 0), "9");
  mesh.shutdown();
}

TEST_F(Configuration, AProcGetsWhatHoldsWhenItIsSpawned) {
  HostMesh mesh = hosts({{"hosts", 1}});
  runtime().config().set(ConfigLayer::kRuntime, attribute::kTailLogLines, 11);
  ProcMesh workers = procs(mesh, {});

  EXPECT_EQ(seen_by_host(0), "unset");
  EXPECT_EQ(seen_by_proc(workers, 0), "11");
  mesh.shutdown();
}

}  // namespace
}  // namespace hostmesh::test
