// Processes of a mesh that die while it is in use.
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <future>
#include <thread>

#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

class Failure : public MeshTest {
 protected:
  ProcOptions recording() {
    return {.on_change = [record = changes_](const ProcChange& change) { record->add(change); }};
  }
  ::testing::AssertionResult ended(Rank rank) {
    return changes_->wait_until([rank](const std::vector<ProcChange>& all) {
      return std::ranges::any_of(all, [rank](const ProcChange& change) {
        return change.rank == rank && change.status.is_terminated();
      });
    });
  }

 private:
  const std::shared_ptr<Record<ProcChange>> changes_ = std::make_shared<Record<ProcChange>>();
};

TEST_F(Failure, AProcThatCrashesIsReportedAndItsNeighboursLive) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}}, recording());
  auto counters = workers.spawn<Counter>("counter", 1);

  client().send(counters.at(0), Die{SIGSEGV});

  ASSERT_TRUE(ended(0));
  const ProcChange end = workers.procs().at(0);
  ASSERT_TRUE(end.reason);
  EXPECT_EQ(end.reason->kind, StopReason::Kind::kKilled) << end.reason->text();
  EXPECT_EQ(end.reason->signal, SIGSEGV);
  EXPECT_EQ(mesh.proc_states(workers).get(0), end.status);
  EXPECT_EQ(client().call(counters.at(1), Read{}, soon()), 1);
  mesh.shutdown();
}

TEST_F(Failure, AfterACrashMoreProcsCanBeSpawned) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {}, recording());
  client().send(workers.spawn<Counter>("counter", 1).at(0), Die{SIGSEGV});
  ASSERT_TRUE(ended(0));

  ProcMesh others = procs(mesh, {});

  EXPECT_EQ(others.spawn<Counter>("counter", 2).call(Read{}).at(0).second, 2);
  mesh.shutdown();
}

TEST_F(Failure, ACallToAProcThatDiesEndsWithItAndNotAtTheDeadline) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {}, recording());
  auto counters = workers.spawn<Counter>("counter", 1);
  std::promise<Result<std::int64_t>> answer;
  client().call_async(counters.at(0), Wait{}, Deadline::after(std::chrono::hours(1)),
                      [&answer](const Result<std::int64_t>& got) { answer.set_value(got); });

  client().send(counters.at(0), Die{SIGKILL});

  auto answered = answer.get_future();
  ASSERT_EQ(answered.wait_until(soon().when()), std::future_status::ready);
  EXPECT_EQ(answered.get().error().cause(), Cause::kPeerGone);
  // Its host says the same of whatever comes later.
  ASSERT_TRUE(ended(0));
  const auto later = client().try_call(counters.at(0), Read{}, Deadline::after(std::chrono::hours(1)));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().cause(), Cause::kPeerGone) << later.error().text();
  mesh.shutdown();
}

TEST_F(Failure, SignalsForUsersEndNoHostAndDoTheirDefaultToCommands) {
  HostMesh mesh = hosts({{"hosts", 1}});

  for (const int number : {SIGUSR1, SIGUSR2}) ASSERT_EQ(::kill(host_pid(0), number), 0);

  ProcOptions options = recording();
  options.command = shell("kill -USR1 $$; exit 3");
  const ProcMesh workers = procs(mesh, {}, std::move(options));
  ASSERT_TRUE(ended(0));
  EXPECT_EQ(workers.procs().at(0).reason->signal, SIGUSR1);
  mesh.shutdown();
}

TEST_F(Failure, AHostThatIsKilledTakesItsProcsWithItAndTheOthersGoOn) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}}, recording());
  auto counters = workers.spawn<Counter>("counter", 1);
  std::vector<std::unique_ptr<Watched>> its_procs;
  for (Rank rank : {2, 3}) its_procs.push_back(std::make_unique<Watched>(workers.procs().at(rank).pid));

  ASSERT_EQ(::kill(static_cast<pid_t>(host_pid(1)), SIGKILL), 0);

  for (const auto& proc : its_procs) EXPECT_TRUE(proc->ends()) << "pid " << proc->pid();
  ASSERT_TRUE(ended(2));
  ASSERT_TRUE(ended(3));
  const auto statuses = workers.statuses();
  EXPECT_EQ(statuses.get(0), Status::running());
  EXPECT_EQ(statuses.get(2).kind, StatusKind::kFailed);
  EXPECT_NE(statuses.get(2).text().find("its host, rank 1"), std::string::npos) << statuses.get(2).text();
  EXPECT_NE(statuses.get(2).text().find("signal 9"), std::string::npos) << statuses.get(2).text();
  EXPECT_EQ(workers.procs().at(3).reason->kind, StopReason::Kind::kHostWatchdog);

  const auto asked = mesh.proc_states(workers);
  EXPECT_EQ(asked.get(1), Status::running());
  EXPECT_EQ(asked.get(2).kind, StatusKind::kFailed) << asked.get(2).text();

  const auto answer = client().try_call(counters.at(2), Read{}, Deadline::after(std::chrono::hours(1)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().cause(), Cause::kPeerGone) << answer.error().text();
  EXPECT_EQ(client().call(counters.at(1), Read{}, soon()), 1);
  mesh.shutdown();
  EXPECT_TRUE(runtime().sweep(soon()));
}

bool is_subreaper() {
  int role = 0;
  EXPECT_EQ(::prctl(PR_GET_CHILD_SUBREAPER, &role), 0);
  return role != 0;
}

// What the reactor does by itself has been done after some of its turns, or a moment.
bool becomes_true_on(Runtime& runtime, const std::function<bool()>& goal) {
  const Deadline deadline = soon();
  while (!goal() && !deadline.passed()) {
    runtime.run_on_reactor([] {});
    std::this_thread::yield();
  }
  return goal();
}

// Daemons of other code would otherwise become zombies of this program.
TEST_F(Failure, ARuntimeInAProgramWithOtherChildrenIsASubreaperOnlyWhileItHasAnAllocation) {
  std::optional<Runtime> shared(std::in_place, test_actors());
  EXPECT_FALSE(is_subreaper());
  for (int i = 0; i < 5; ++i) ASSERT_EQ(std::system("(sleep 0.01 &)"), 0);
  EXPECT_FALSE(has_children());

  HostMesh mesh = HostMesh::allocate(*shared, alloc_on(*shared, {.extent = {{"hosts", 1}}}), "test", {});
  EXPECT_TRUE(is_subreaper());

  mesh.shutdown();
  EXPECT_TRUE(becomes_true_on(*shared, [] { return !is_subreaper(); }));
}

TEST_F(Failure, ARuntimeThatIsToAdoptNobodyIsNoSubreaper) {
  Runtime shared(test_actors(), {.subreaper = RuntimeOptions::Subreaper::kNo});
  HostMesh mesh = HostMesh::allocate(shared, alloc_on(shared, {.extent = {{"hosts", 1}}}), "test", {});
  EXPECT_FALSE(is_subreaper());
  mesh.shutdown();
}

// As bwrap leaves its inner process when it is killed.
TEST_F(Failure, WhatAWrapperLeavesIsReapedAndNoChildOfOtherCode) {
  std::optional<Runtime> shared(std::in_place, test_actors());
  const pid_t other = ::fork();
  if (other == 0) ::_exit(7);
  {
    HostMesh mesh = HostMesh::allocate(
        *shared,
        alloc_on(*shared, {.extent = {{"hosts", 2}}},
                 shell("setsid sleep 0.2 >/dev/null 2>&1 & sleep 0.1 >/dev/null 2>&1 & \"$0\"; exit 0")),
        "test", {});
    mesh.shutdown();
  }

  EXPECT_TRUE(becomes_true_on(*shared, [] { return children_of_this_process().size() == 1; }));

  int status = 0;
  EXPECT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(WEXITSTATUS(status), 7);
}

TEST_F(Failure, InAProgramWithOtherChildrenThoseOfAKilledHostAreCollectedAndNoOthers) {
  std::optional<Runtime> shared(std::in_place, test_actors());
  const pid_t other = ::fork();
  if (other == 0) {
    ::pause();
    ::_exit(0);
  }
  const auto record = std::make_shared<Record<ProcState>>();
  HostMesh mesh = HostMesh::allocate(*shared, alloc_on(*shared, {.extent = {{"hosts", 1}}}), "test",
                                     {.on_state = [record](const ProcState& state) { record->add(state); }});
  ProcMesh commands =
      mesh.spawn("commands", {{"procs", 2}}, {.command = shell("setsid sleep 61 & sleep 60; true")});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  std::vector<std::unique_ptr<Watched>> its_procs;
  for (const ProcMesh& procs : {commands, workers}) {
    for (const ProcChange& proc : procs.procs()) its_procs.push_back(std::make_unique<Watched>(proc.pid));
  }
  ASSERT_EQ(::kill(static_cast<pid_t>(std::get<ProcCreated>(record->items().front()).pid), SIGKILL), 0);

  for (const auto& proc : its_procs) EXPECT_TRUE(proc->ends()) << "pid " << proc->pid();
  mesh.shutdown();
  EXPECT_EQ(::waitpid(other, nullptr, WNOHANG), 0) << "it lives";
  ::kill(other, SIGKILL);
  EXPECT_EQ(::waitpid(other, nullptr, 0), other) << "and its end is its owner's to collect";
  // What died before it could be looked at cannot be told from other code's children; but nothing lives.
  for (const Child& child : children_of_this_process()) {
    EXPECT_EQ(::waitpid(child.pid, nullptr, WNOHANG), child.pid)
        << "left alive: " << describe_process(child.pid);
  }
}

// The news of the host's death, and the stop, meet in every order.
TEST_F(Failure, AShutdownJustAfterAHostWasKilledWaitsForWhatTheHostLeftBehind) {
  for (int round = 0; round < 10; ++round) {
    Runtime shared(test_actors());
    const auto record = std::make_shared<Record<ProcState>>();
    HostMesh mesh =
        HostMesh::allocate(shared, alloc_on(shared, {.extent = {{"hosts", 1}}}), "test",
                           {.on_state = [record](const ProcState& state) { record->add(state); }});
    ProcMesh commands = mesh.spawn("commands", {}, {.command = shell("setsid sleep 61 & sleep 60; true")});
    const Watched command(commands.procs().front().pid);

    ::kill(static_cast<pid_t>(std::get<ProcCreated>(record->items().front()).pid), SIGKILL);
    if (round % 2 == 0) {
      EXPECT_TRUE(command.ends());
    }
    mesh.shutdown();

    for (const Child& child : children_of_this_process()) {
      ASSERT_EQ(::waitpid(child.pid, nullptr, WNOHANG), child.pid)
          << "left alive: " << describe_process(child.pid);
    }
  }
}

TEST_F(Failure, SpawningWhereAHostIsGoneFailsAtOnceAndUndoesTheOthers) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ASSERT_EQ(::kill(static_cast<pid_t>(host_pid(1)), SIGKILL), 0);
  ASSERT_TRUE(states().wait_until([](const auto& all) {
    return std::ranges::any_of(all,
                               [](const ProcState& s) { return std::holds_alternative<ProcStopped>(s); });
  }));
  ProcOptions options;
  options.max_idle = std::chrono::hours(1);

  const Error error = error_of([&] { (void)procs(mesh, {}, options); });

  EXPECT_EQ(error.cause(), Cause::kRemote) << error.text();
  EXPECT_EQ(error.info().rank, 1u);
  EXPECT_NE(error.text().find("signal 9"), std::string::npos) << error.text();
  EXPECT_EQ(children_of(host_pid(0)), "");
  mesh.shutdown();
}

TEST_F(Failure, AHostThatIsKilledDuringASpawnEndsTheSpawn) {
  HostMesh mesh = hosts({{"hosts", 2}});
  ProcOptions options;
  options.bootstrap = shell("if [ $HOSTMESH_HOST_RANK = 1 ]; then kill -9 $PPID; sleep 60; fi; exec \"$0\"");
  options.max_idle = std::chrono::seconds(25);

  const Error error = error_of([&] { (void)mesh.spawn("workers", {}, options); });

  EXPECT_EQ(error.cause(), Cause::kRemote) << error.text();
  EXPECT_NE(error.text().find("its host, rank 1"), std::string::npos) << error.text();
  mesh.shutdown();
  EXPECT_TRUE(runtime().sweep(soon()));
}

TEST_F(Failure, AStoppedProcMeshForgetsNothingOfAProcThatHadCrashed) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}}, recording());
  auto counters = workers.spawn<Counter>("counter", 1);
  client().send(counters.at(1), Die{SIGKILL});
  ASSERT_TRUE(ended(1));

  const auto ends = workers.stop();

  ASSERT_EQ(ends.size(), 2u);
  EXPECT_EQ(ends[0].status, Status::stopped());
  EXPECT_EQ(ends[1].reason->signal, SIGKILL);
  mesh.shutdown();
}

}  // namespace
}  // namespace hostmesh::test
