// Procs on the hosts of a mesh: their places, their states, their ends.
#include <csignal>

#include "hostmesh/shape/ranked_text.hpp"
#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

bool all_are(const StatusMesh& statuses, StatusKind kind) {
  return statuses.all_of([kind](const Status& status) { return status.kind == kind; });
}

class Spawn : public MeshTest {};

class SpawnOn : public MeshOnAny {};
ON_ANY_ALLOCATOR(SpawnOn);

TEST_F(Spawn, WithoutAPerHostExtentThereIsOneProcOnEachHost) {
  HostMesh mesh = hosts({{"x", 2}, {"y", 2}});

  ProcMesh workers = procs(mesh, {});

  EXPECT_EQ(workers.extent(), mesh.extent());
  const auto identities = workers.spawn<Counter>("counter", 0).call(WhoAreYou{});
  ASSERT_EQ(identities.size(), 4u);
  for (Rank rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(identities[rank].second.parent, host_pid(rank));
    EXPECT_EQ(identities[rank].second.pid, workers.procs()[rank].pid);
  }
  mesh.shutdown();
}

TEST_F(Spawn, RanksAreRowMajorOverTheHostsAndThenThePerHostExtent) {
  HostMesh mesh = hosts({{"x", 1}, {"y", 2}});

  ProcMesh workers = procs(mesh, {{"gpus", 3}, {"extra", 2}});

  EXPECT_EQ(workers.extent(), (Extent{{"x", 1}, {"y", 2}, {"gpus", 3}, {"extra", 2}}));
  const auto identities = workers.spawn<Counter>("counter", 0).call(WhoAreYou{});
  ASSERT_EQ(identities.size(), 12u);
  for (Rank rank = 0; rank < 12; ++rank) {
    const auto& [point, identity] = identities[rank];
    EXPECT_EQ(point.rank(), rank);
    EXPECT_EQ(identity.parent, host_pid(rank / 6));
    EXPECT_EQ(identity.variables,
              (std::vector<std::string>{std::to_string(rank), "12", std::to_string(rank / 6),
                                        std::to_string(rank % 6), "6", point.text()}));
    EXPECT_EQ(workers.proc_id(rank),
              mesh.ref().hosts()[rank / 6].named_proc(workers.name() + "_" + std::to_string(rank)));
  }
  mesh.shutdown();
}

// As on another machine, where the stock child of the client's has another place.
TEST_F(Spawn, WhereTheStockChildIsMissingTheHostStartsItself) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcOptions options;
  options.bootstrap = BootstrapCommand::this_program();
  options.bootstrap.argv = {"/nowhere/bin/hostmesh-bootstrap"};

  ProcMesh workers = mesh.spawn("workers", {{"gpus", 2}}, std::move(options));

  EXPECT_TRUE(all_are(mesh.proc_states(workers), StatusKind::kRunning));
  mesh.shutdown();
}

TEST_P(SpawnOn, WhatCannotBeIsRefusedBeforeAnythingIsStarted) {
  HostMesh mesh = hosts({{"hosts", 1}});

  const Error overlap = error_of([&] { (void)procs(mesh, {{"gpus", 1}, {"hosts", 1}}); });
  EXPECT_EQ(overlap.cause(), Cause::kInvalidArgument);
  EXPECT_NE(overlap.text().find("overlap"), std::string::npos) << overlap.text();
  EXPECT_NE(overlap.text().find("hosts"), std::string::npos) << overlap.text();
  EXPECT_EQ(error_of([&] { (void)procs(mesh, {{"gpus", 0}}); }).cause(), Cause::kInvalidArgument);
  EXPECT_EQ(error_of([&] { (void)mesh.spawn("no name", {}); }).cause(), Cause::kInvalidArgument);
  EXPECT_EQ(children_of(host_pid(0)), "");
  mesh.shutdown();
}

TEST_P(SpawnOn, TheStatesAreTheHosts) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});

  EXPECT_TRUE(all_are(mesh.proc_states(workers), StatusKind::kRunning));
  (void)mesh.stop_proc_mesh(workers);
  EXPECT_TRUE(all_are(mesh.proc_states(workers), StatusKind::kStopped))
      << ranked_text(mesh.proc_states(workers));
  mesh.shutdown();
}

TEST_P(SpawnOn, StoppingTellsHowEachEndedAndTwiceIsOnce) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});

  const auto ends = mesh.stop_proc_mesh(workers);
  const auto again = mesh.stop_proc_mesh(workers);

  ASSERT_EQ(ends.size(), 4u);
  for (const ProcChange& end : ends) {
    EXPECT_EQ(end.status, Status::stopped());
    ASSERT_TRUE(end.reason);
    EXPECT_EQ(end.reason->kind, StopReason::Kind::kStopped) << end.reason->text();
  }
  EXPECT_EQ(again.size(), 4u);
  for (Rank host = 0; host < 2; ++host) EXPECT_EQ(children_of(host_pid(host)), "");
  mesh.shutdown();
}

TEST_P(SpawnOn, MeshesOnTheSameHostsLiveBesideEachOther) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh first = procs(mesh, {});
  ProcMesh second = procs(mesh, {{"gpus", 2}});
  auto counters = second.spawn<Counter>("counter", 1);

  (void)first.stop();

  EXPECT_NE(first.name(), second.name());
  EXPECT_EQ(counters.call(Read{}).size(), 4u);
  EXPECT_TRUE(all_are(first.statuses(), StatusKind::kStopped));
  EXPECT_TRUE(all_are(second.statuses(), StatusKind::kRunning));
  EXPECT_EQ(client().call(mesh.ref().hosts()[0].agent(), ListMeshes{}, soon()).size(), 2u);
  mesh.shutdown();
}

TEST_P(SpawnOn, ACopyIsTheSameMesh) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {});
  ProcMesh copy = workers;

  (void)copy.stop();

  EXPECT_TRUE(all_are(workers.statuses(), StatusKind::kStopped));
  mesh.shutdown();
}

TEST_P(SpawnOn, ASignalReachesEveryCommandAndAllOfItsGroup) {
  HostMesh mesh = hosts({{"hosts", 2}});
  const auto words = std::make_shared<Record<std::string>>();
  ProcOptions options;
  // The shell inside is another process, in the same group.
  options.command = shell(
      "sh -c 'trap \"echo inner; exit\" USR1; echo ready; while :; do sleep 1 & wait; done' & "
      "trap 'echo outer' USR1; wait; wait; echo end");
  options.on_output = [words](const ProcOutput& piece) {
    std::istringstream in(std::string(piece.bytes.begin(), piece.bytes.end()));
    for (std::string word; in >> word;) words->add(word);
  };
  ProcMesh commands = mesh.spawn("commands", {{"gpus", 2}}, std::move(options));
  const auto four = [&](const std::string& word) {
    return words->wait_until([&](const auto& all) { return std::ranges::count(all, word) == 4; });
  };
  ASSERT_TRUE(four("ready"));

  commands.signal(SIGUSR1);

  EXPECT_TRUE(four("inner"));
  EXPECT_TRUE(four("outer"));
  EXPECT_TRUE(four("end"));
  mesh.shutdown();
  EXPECT_TRUE(runtime().sweep(soon()));  // the inner sleeps were killed with their groups
}

TEST_P(SpawnOn, WhatIsNoSignalIsRefused) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {});

  for (const int number : {0, -1, 65, 1000}) {
    EXPECT_EQ(error_of([&] { workers.signal(number); }).cause(), Cause::kInvalidArgument) << number;
  }
  EXPECT_TRUE(all_are(mesh.proc_states(workers), StatusKind::kRunning));
  mesh.shutdown();
  workers.signal(SIGUSR1);  // nobody is there any more
}

TEST_F(Spawn, AProcThatTakesActorsIsSignalledLikeACommand) {
  HostMesh mesh = hosts({{"hosts", 1}});
  const auto changes = std::make_shared<Record<ProcChange>>();
  ProcOptions options;
  options.on_change = [changes](const ProcChange& change) { changes->add(change); };
  ProcMesh workers = procs(mesh, {}, std::move(options));

  workers.signal(SIGUSR1);

  ASSERT_TRUE(changes->wait_until([](const auto& all) { return !all.empty() && all.back().reason; }));
  EXPECT_EQ(changes->items().back().reason->signal, SIGUSR1);
  mesh.shutdown();
}

// --- what can go wrong
// --------------------------------------------------------------------------------------------

TEST_F(Spawn, AProgramThatDoesNotExistFailsOnEveryRank) {
  HostMesh mesh = hosts({{"hosts", 2}});

  const Error error = error_of([&] {
    (void)mesh.spawn("workers", {{"gpus", 2}}, {.bootstrap = {.argv = {"/no/such/program"}}});
  });

  EXPECT_EQ(error.cause(), Cause::kRemote);
  EXPECT_EQ(error.info().rank, 0u);
  EXPECT_EQ(error.info().command, "/no/such/program");
  EXPECT_NE(error.text().find("ENOENT"), std::string::npos) << error.text();
  EXPECT_NE(error.text().find("0..4"), std::string::npos) << "all ranks, told together: " << error.text();
  for (Rank host = 0; host < 2; ++host) EXPECT_EQ(children_of(host_pid(host)), "");
  mesh.shutdown();
}

TEST_F(Spawn, AProgramThatExitsAtOnceFailsWithItsStatusAndItsLastWords) {
  HostMesh mesh = hosts({{"hosts", 2}});

  const Error error = error_of([&] {
    (void)mesh.spawn("workers", {{"gpus", 2}}, {.bootstrap = shell("echo I will not >&2; exit 1")});
  });

  EXPECT_EQ(error.info().exit_status, "exited with code 1") << error.text();
  EXPECT_EQ(error.info().last_lines, std::vector<std::string>{"I will not"});
  EXPECT_NE(error.text().find("Failed(exited with code 1)=0..4"), std::string::npos) << error.text();
  for (Rank host = 0; host < 2; ++host) EXPECT_EQ(children_of(host_pid(host)), "");

  EXPECT_EQ(procs(mesh, {}).extent().num_ranks(), 2u) << "the hosts are none the worse for it";
  mesh.shutdown();
}

TEST_F(Spawn, WhenOneHostsProcsHangTheErrorSaysWhoRunsAndWhoDoesNot) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcOptions options;
  options.bootstrap = shell("if [ $HOSTMESH_HOST_RANK = 1 ]; then exec sleep 60; fi; exec \"$0\"");
  options.max_idle = std::chrono::seconds(10);

  const Error error = error_of([&] { (void)mesh.spawn("workers", {{"gpus", 2}}, options); });

  EXPECT_EQ(error.info().rank, 2u) << error.text();
  EXPECT_NE(error.text().find("Running=0..2"), std::string::npos) << error.text();
  EXPECT_NE(error.text().find("did not say Hello"), std::string::npos) << error.text();
  EXPECT_NE(error.text().find("=2..4"), std::string::npos) << error.text();
  for (Rank host = 0; host < 2; ++host) EXPECT_EQ(children_of(host_pid(host)), "") << "all is undone";
  mesh.shutdown();
}

TEST_F(Spawn, AHostThatDoesNotAnswerIsATimeout) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ASSERT_EQ(::kill(static_cast<pid_t>(host_pid(1)), SIGSTOP), 0);
  ProcOptions options;
  options.bootstrap = BootstrapCommand::this_program();
  options.within = std::chrono::seconds(4);
  // Frozen hosts are found out by their heartbeats only after all of this.
  runtime().config().set(ConfigLayer::kRuntime, attribute::kProcStopMaxIdle, std::chrono::seconds(2));
  runtime().config().set(ConfigLayer::kRuntime, attribute::kKillTimeout, std::chrono::milliseconds(100));

  const Error error = error_of([&] { (void)mesh.spawn("workers", {}, options); });

  EXPECT_NE(error.text().find("Running=0..1;"), std::string::npos) << error.text();
  EXPECT_NE(error.text().find("=1..2"), std::string::npos) << error.text();
  EXPECT_EQ(error.info().rank, 1u) << error.text();
  EXPECT_EQ(children_of(host_pid(0)), "");
  (void)::kill(static_cast<pid_t>(host_pid(1)), SIGCONT);
  mesh.shutdown();
}

TEST_F(Spawn, MayBeCancelled) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcOptions options;
  options.bootstrap = shell("exec sleep 60");
  options.cancel = std::make_shared<Cancel>();
  std::thread other([&] { options.cancel->request(); });

  EXPECT_EQ(error_of([&] { (void)mesh.spawn("workers", {}, options); }).cause(), Cause::kCancelled);
  other.join();
  EXPECT_EQ(children_of(host_pid(0)), "");
  mesh.shutdown();
}

}  // namespace
}  // namespace hostmesh::test
