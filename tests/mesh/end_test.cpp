// The end of a mesh, asked for or not.
#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

class End : public MeshTest {
 protected:
  // The processes of two hosts with two procs each.
  std::vector<std::unique_ptr<Watched>> watch(const ProcMesh& workers) {
    std::vector<std::unique_ptr<Watched>> all;
    for (Rank rank : {0, 1}) all.push_back(std::make_unique<Watched>(host_pid(rank)));
    for (const ProcChange& proc : workers.procs()) all.push_back(std::make_unique<Watched>(proc.pid));
    return all;
  }
};

class EndOf : public MeshOnAny {};
ON_ANY_ALLOCATOR(EndOf);

TEST_P(EndOf, ShutdownIsOrderlyOnEveryHost) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});

  mesh.shutdown();

  EXPECT_TRUE(workers.statuses().all_of([](const Status& status) { return status == Status::stopped(); }));
  const auto stopped = host_states<ProcStopped>();
  ASSERT_EQ(stopped.size(), 2u);
  for (const ProcStopped& host : stopped) {
    EXPECT_EQ(host.reason.kind, StopReason::Kind::kStopped) << host.reason.text();
  }
}

TEST_P(EndOf, ShutdownTwiceIsOnce) {
  HostMesh mesh = hosts({{"hosts", 2}});

  mesh.shutdown();
  mesh.shutdown();

  EXPECT_EQ(host_states<ProcStopped>().size(), 2u);
}

TEST_P(EndOf, AfterShutdownEveryCallSaysSoAtOnce) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {});
  auto counters = workers.spawn<Counter>("counter", 1);
  mesh.shutdown();
  ProcOptions options;
  options.max_idle = std::chrono::hours(1);

  EXPECT_EQ(error_of([&] { (void)procs(mesh, {}, options); }).cause(), Cause::kRemote);
  EXPECT_EQ(error_of([&] { (void)counters.call(Read{}, Deadline::after(std::chrono::hours(1))); }).cause(),
            Cause::kPeerGone);
  EXPECT_EQ(mesh.proc_states(workers).get(0).kind, StatusKind::kFailed);
  EXPECT_EQ(workers.stop().at(0).status, Status::stopped());
}

TEST_P(EndOf, AHandleMayOutliveItsMesh) {
  std::optional<ProcMesh> workers;
  {
    HostMesh mesh = hosts({{"hosts", 1}});
    workers = procs(mesh, {});
    mesh.shutdown();
  }

  EXPECT_EQ(workers->extent(), (Extent{{"hosts", 1}}));
  EXPECT_EQ(workers->statuses().get(0), Status::stopped());
  EXPECT_EQ(workers->stop().size(), 1u);
}

TEST_F(End, AMeshThatIsDroppedIsSentAway) {
  std::optional<HostMesh> mesh = hosts({{"hosts", 2}});
  std::optional<ProcMesh> workers = procs(*mesh, {{"gpus", 2}});
  const auto processes = watch(*workers);

  mesh.reset();

  for (const auto& process : processes) EXPECT_TRUE(process->ends()) << "pid " << process->pid();
  EXPECT_TRUE(runtime().sweep(soon()));
}

TEST_F(End, AMeshMayBeDroppedByItsOwnCallback) {
  // The last owner is a callback on the reactor, where nothing may wait.
  HostMesh mesh = hosts({{"hosts", 1}});
  const Watched host(host_pid(0));
  auto held = std::make_shared<std::optional<HostMesh>>(std::move(mesh));

  runtime().run_on_reactor([&held] { held->reset(); });

  EXPECT_TRUE(host.ends());
  EXPECT_TRUE(runtime().sweep(soon()));
}

TEST_F(End, ARuntimeThatEndsFirstOfAllKillsWhatIsLeft) {
  std::vector<std::unique_ptr<Watched>> processes;
  {
    HostMesh mesh = hosts({{"hosts", 2}});
    ProcMesh workers = procs(mesh, {{"gpus", 2}});
    processes = watch(workers);
  }  // told to go, and not waited for
  const auto swept = runtime().sweep(soon());

  EXPECT_TRUE(swept) << (swept ? std::string() : swept.error().what());
  for (const auto& process : processes) EXPECT_TRUE(process->ends()) << "pid " << process->pid();
}

TEST_P(EndOf, KillEndsAShutdownThatTakesTooLong) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh stubborn =
      mesh.spawn("stubborn", {}, {.command = shell("trap '' TERM; while :; do sleep 1; done")});
  std::thread impatient([&] { mesh.kill(); });

  try {
    mesh.shutdown();
  } catch (const Error&) {  // that it was not orderly may be said
  }

  impatient.join();
  EXPECT_EQ(host_states<ProcStopped>().size(), 1u);
  EXPECT_TRUE(runtime().sweep(soon()));
}

TEST_P(EndOf, APlainCommandThatIgnoresTermIsKilledByShutdown) {
  config().set(ConfigLayer::kRuntime, attribute::kTerminateTimeout, std::chrono::milliseconds(300));
  HostMesh mesh = hosts({{"hosts", 1}});
  const auto output = std::make_shared<Record<std::string>>();
  ProcOptions options;
  options.command = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
  options.on_output = [output](const ProcOutput& piece) {
    output->add(std::string(piece.bytes.begin(), piece.bytes.end()));
  };
  ProcMesh stubborn = mesh.spawn("stubborn", {}, std::move(options));
  ASSERT_TRUE(output->wait_until([](const auto& all) { return !all.empty() && all.front() == "ready\n"; }));

  mesh.shutdown();

  EXPECT_EQ(stubborn.procs().at(0).reason->signal, SIGKILL);
}

TEST_F(End, AFrozenHostDoesNotHoldUpShutdownForEver) {
  config().set(ConfigLayer::kRuntime, attribute::kTerminateTimeout, std::chrono::milliseconds(600));
  config().set(ConfigLayer::kRuntime, attribute::kProcessExitTimeout, std::chrono::milliseconds(600));
  config().set(ConfigLayer::kRuntime, attribute::kKillTimeout, std::chrono::milliseconds(600));
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  const auto processes = watch(workers);
  ASSERT_EQ(::kill(static_cast<pid_t>(host_pid(1)), SIGSTOP), 0);

  const Error error = error_of([&] { mesh.shutdown(); });

  EXPECT_EQ(error.info().rank, 1u) << error.text();
  for (const auto& process : processes) EXPECT_TRUE(process->ends()) << "pid " << process->pid();
  EXPECT_TRUE(runtime().sweep(soon()));
}

}  // namespace
}  // namespace hostmesh::test
