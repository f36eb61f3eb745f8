// From an allocation to a mesh of hosts.
#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

class Allocate : public MeshTest {};
class AllocateBy : public MeshOnAny {};
ON_ANY_ALLOCATOR(AllocateBy);

TEST_P(AllocateBy, MakesAHostOfEachProcInRankOrder) {
  HostMesh mesh = hosts({{"x", 2}, {"y", 2}});

  EXPECT_EQ(mesh.extent(), (Extent{{"x", 2}, {"y", 2}}));
  const auto running = host_states<ProcRunning>();
  ASSERT_EQ(running.size(), 4u);
  ASSERT_EQ(mesh.ref().hosts().size(), 4u);
  for (Rank rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(mesh.ref().hosts()[rank].addr(), running[rank].addr);
    EXPECT_NE(mesh.host_text(rank).find("pid " + std::to_string(host_pid(rank))), std::string::npos);
  }
  EXPECT_EQ(value_or_throw(HostMeshRef::parse(mesh.ref().text())), mesh.ref());
  mesh.shutdown();
}

TEST_P(AllocateBy, AHostIsReachedAtItsAddressAlone) {
  HostMesh mesh = hosts({{"hosts", 2}});

  for (const HostRef& host : mesh.ref().hosts()) {
    EXPECT_EQ(host.agent().text(), host.addr().text() + ",service,agent[0]");
    EXPECT_EQ(client().call(host.agent(), ListMeshes{}, soon()), std::vector<std::string>());
  }
  mesh.shutdown();
}

TEST_P(AllocateBy, ProgressIsToldUpToTheLast) {
  const auto progress = std::make_shared<Record<std::uint64_t>>();
  AllocateOptions options = recorded();
  options.on_progress = [progress](std::uint64_t ready, std::uint64_t) { progress->add(ready); };

  HostMesh mesh =
      HostMesh::allocate(runtime(), alloc({.extent = {{"hosts", 3}}}), "test", std::move(options));

  EXPECT_EQ(progress->items(), (std::vector<std::uint64_t>{1, 2, 3}));
  mesh.shutdown();
}

TEST_P(AllocateBy, ProcsAreNamedAfterTheAllocationUnlessANameIsGiven) {
  auto unnamed = alloc({.extent = {{"hosts", 1}}});
  const std::string uuid = unnamed->name();
  HostMesh mesh = HostMesh::allocate(runtime(), std::move(unnamed), "test", recorded());
  EXPECT_EQ(host_states<ProcRunning>().at(0).proc_id.text(), uuid + "[0]");
  mesh.shutdown();
}

TEST_P(AllocateBy, ProcsWithAGivenNameAreFoundAtTheirAddress) {
  HostMesh mesh = hosts({.extent = {{"hosts", 2}}, .proc_name = "front"});
  for (const ProcRunning& running : host_states<ProcRunning>()) {
    EXPECT_EQ(running.proc_id.text(), running.addr.text() + ",front");
  }
  mesh.shutdown();
}

TEST_F(Allocate, WorksOverTcp) {
  HostMesh mesh = hosts({.extent = {{"hosts", 2}}, .transport = Transport::kTcp});
  for (const HostRef& host : mesh.ref().hosts()) EXPECT_EQ(host.addr().transport(), Transport::kTcp);

  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  auto counters = workers.spawn<Counter>("counter", 5);
  auto [home, arrived] = client().open_port<std::vector<ActorId>>();
  client().send(counters.at(0),
                Visit{.ahead = {counters.at(3).id(), counters.at(1).id()}, .seen = {}, .home = home});

  const auto seen = arrived.receive(soon());
  ASSERT_TRUE(seen) << seen.error().text();
  EXPECT_EQ(seen->size(), 3u);
  mesh.shutdown();
}

// A host is the stock child, which asks the resolver in another way than we do.
TEST_F(Allocate, WhereToListenMayBeAName) {
  config().set(ConfigLayer::kTestOverride, attribute::kTcpBind, "localhost");
  BootstrapCommand named = BootstrapCommand::stock();
  named.environment.emplace_back("HOSTMESH_TCP_BIND=localhost");

  HostMesh mesh = HostMesh::allocate(
      runtime(), alloc({.extent = {{"hosts", 2}}, .transport = Transport::kTcp}, std::move(named)), "test");

  for (const HostRef& host : mesh.ref().hosts()) EXPECT_TRUE(host.addr().is_loopback()) << host.addr().text();
  mesh.shutdown();
}

TEST_F(Allocate, ANameOfOursThatNobodyHasIsNamed) {
  config().set(ConfigLayer::kTestOverride, attribute::kTcpBind, "no-such-host.invalid");
  const Error error = error_of([&] {
    (void)alloc({.extent = {{"hosts", 1}}, .transport = Transport::kTcp});
  });
  EXPECT_NE(error.text().find("TCP_BIND is 'no-such-host.invalid'"), std::string::npos) << error.text();
}

TEST_F(Allocate, ANameOfAHostsThatNobodyHasIsNamed) {
  BootstrapCommand lost = BootstrapCommand::stock();
  lost.environment.emplace_back("HOSTMESH_TCP_BIND=no-such-host.invalid");
  auto doomed = alloc({.extent = {{"hosts", 1}}, .transport = Transport::kTcp}, std::move(lost));
  const Error error = error_of([&] { (void)HostMesh::allocate(runtime(), std::move(doomed), "test"); });
  EXPECT_NE(error.text().find("TCP_BIND is 'no-such-host.invalid'"), std::string::npos) << error.text();
}

TEST_P(AllocateBy, BringsUpManyHosts) {
  HostMesh mesh = hosts({{"hosts", 64}});

  EXPECT_EQ(mesh.ref().hosts().size(), 64u);
  mesh.shutdown();
  EXPECT_EQ(host_states<ProcStopped>().size(), 64u);
}

TEST_P(AllocateBy, TwoMeshesOfOneRuntimeDoNotMix) {
  HostMesh one = hosts({{"hosts", 1}});
  HostMesh other = HostMesh::allocate(runtime(), alloc({.extent = {{"hosts", 1}}}), "other");
  ProcMesh on_one = procs(one, {});
  ProcMesh on_other = procs(other, {});

  one.shutdown();

  EXPECT_EQ(on_other.spawn<Counter>("counter", 7).call(Read{}).at(0).second, 7);
  other.shutdown();
}

// --- what can go wrong
// --------------------------------------------------------------------------------------------

TEST_F(Allocate, AHostThatExitsEarlyIsReportedWithItsLastWords) {
  auto doomed =
      alloc({.extent = {{"hosts", 2}}},
            shell("if [ $HOSTMESH_BOOTSTRAP_INDEX = 1 ]; then echo 'Traceback (most recent call last):' >&2; "
                  "echo 'ValueError: no such device' >&2; exit 3; fi; exec \"$0\""));

  const Error error =
      error_of([&] { (void)HostMesh::allocate(runtime(), std::move(doomed), "test", recorded()); });

  EXPECT_EQ(error.cause(), Cause::kChildExited) << error.text();
  EXPECT_EQ(error.info().rank, 1u);
  EXPECT_EQ(error.info().phase, "hello");
  EXPECT_NE(error.info().host.find("pid " + std::to_string(host_pid(1))), std::string::npos) << error.text();
  EXPECT_EQ(error.info().exit_status, "exited with code 3");
  EXPECT_EQ(error.info().last_lines,
            (std::vector<std::string>{"Traceback (most recent call last):", "ValueError: no such device"}));
  EXPECT_TRUE(states().wait_until([](const auto& all) {
    return std::ranges::count_if(
               all, [](const ProcState& s) { return std::holds_alternative<ProcStopped>(s); }) == 2;
  })) << "the end of each host is told, also when the mesh fails";
}

TEST_F(Allocate, AProgramThatDoesNotExistIsNamed) {
  auto doomed = alloc({.extent = {{"hosts", 2}}}, {.argv = {"/no/such/bootstrap"}, .environment = {}});

  const Error error = error_of([&] { (void)HostMesh::allocate(runtime(), std::move(doomed), "test"); });

  EXPECT_EQ(error.info().phase, "launch") << error.text();
  EXPECT_NE(error.text().find("/no/such/bootstrap"), std::string::npos) << error.text();
  EXPECT_NE(error.text().find("ENOENT"), std::string::npos) << error.text();
}

TEST_F(Allocate, AllThatFailAreTold) {
  auto doomed = alloc({.extent = {{"hosts", 3}}},
                      shell("if [ $HOSTMESH_BOOTSTRAP_INDEX != 1 ]; then exit 3; fi; exec \"$0\""));

  const Error error = error_of([&] { (void)HostMesh::allocate(runtime(), std::move(doomed), "test"); });

  EXPECT_NE(error.text().find("2 of 3 hosts did not come up, all there: rank 0, 2"), std::string::npos)
      << error.text();
}

TEST_F(Allocate, AHostThatNeverSaysHelloIsGivenUpByItsTime) {
  config().set(ConfigLayer::kRuntime, attribute::kHelloTimeout, std::chrono::milliseconds(300));
  auto silent = alloc({.extent = {{"hosts", 1}}}, shell("exec sleep 60"));

  const Error error = error_of([&] { (void)HostMesh::allocate(runtime(), std::move(silent), "test"); });

  EXPECT_EQ(error.cause(), Cause::kChildExited) << error.text();
  EXPECT_NE(error.text().find("did not say Hello within 300ms"), std::string::npos) << error.text();
  EXPECT_EQ(error.info().rank, 0u);
}

TEST_F(Allocate, AtTheDeadlineTheMissingRanksAreNamedByPhase) {
  auto silent = alloc({.extent = {{"hosts", 3}}},
                      shell("if [ $HOSTMESH_BOOTSTRAP_INDEX != 1 ]; then exec sleep 60; fi; exec \"$0\""));
  AllocateOptions options = recorded();
  options.within = std::chrono::seconds(5);

  const Error error =
      error_of([&] { (void)HostMesh::allocate(runtime(), std::move(silent), "test", std::move(options)); });

  EXPECT_EQ(error.cause(), Cause::kTimeout) << error.text();
  EXPECT_NE(error.text().find("2 of 3 hosts were not ready within 5s (in phase hello: rank 0, 2)"),
            std::string::npos)
      << error.text();
}

TEST_F(Allocate, MayBeCancelledFromAnyThread) {
  auto silent = alloc({.extent = {{"hosts", 2}}}, shell("exec sleep 60"));
  AllocateOptions options;
  options.cancel = std::make_shared<Cancel>();
  options.on_state = [cancel = options.cancel](const ProcState&) { cancel->request(); };

  const Error error =
      error_of([&] { (void)HostMesh::allocate(runtime(), std::move(silent), "test", std::move(options)); });

  EXPECT_EQ(error.cause(), Cause::kCancelled) << error.text();
}

TEST_F(Allocate, ANameThatIsNoIdentifierIsRefused) {
  EXPECT_EQ(error_of([&] {
              (void)HostMesh::allocate(runtime(), alloc({.extent = {{"hosts", 1}}}), "not a name");
            }).cause(),
            Cause::kInvalidArgument);
  EXPECT_TRUE(runtime().sweep(soon()));
}

TEST_F(Allocate, ProcsOfOneProcessCannotBeReachedLocallyFromAnother) {
  const Error error = error_of([&] {
    (void)alloc({.extent = {{"hosts", 1}}, .transport = Transport::kLocal});
  });

  EXPECT_EQ(error.cause(), Cause::kInvalidArgument);
}

TEST_F(Allocate, OnTheReactorItIsRefusedInsteadOfWaitingForEver) {
  auto unused = alloc({.extent = {{"hosts", 1}}});
  runtime().run_on_reactor([&] {
    EXPECT_EQ(error_of([&] { (void)HostMesh::allocate(runtime(), std::move(unused), "test"); }).cause(),
              Cause::kInternal);
  });
  EXPECT_TRUE(runtime().sweep(soon()));
}

// Kept for a report of its end alone, it would never be seen.
TEST_F(Allocate, WhatAHostOrAProcWarnsOfWhileItLivesIsInOurLog) {
  const auto warns_of = [](const std::string& what) {
    return shell("echo '2026-11-20T19:06:24.035369 hostmesh[1] warning " + what +
                 " key=1' >&2; echo a banner >&2; exec \"$0\"");
  };
  ::testing::internal::CaptureStderr();
  HostMesh mesh = HostMesh::allocate(runtime(), alloc({.extent = {{"hosts", 1}}}, warns_of("a host")), "test",
                                     recorded());
  ProcMesh workers = mesh.spawn("workers", {}, {.bootstrap = warns_of("a proc")});
  mesh.shutdown();
  const std::string log = ::testing::internal::GetCapturedStderr();

  EXPECT_NE(log.find("warning a host key=1 host_rank=0 host="), std::string::npos) << log;
  EXPECT_NE(log.find("warning a proc key=1 proc=" + workers.name() + "_0 proc_pid="), std::string::npos)
      << log;
  EXPECT_EQ(log.find("a banner"), std::string::npos) << log;
}

}  // namespace
}  // namespace hostmesh::test
