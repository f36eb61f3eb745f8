// Hosts and procs inside this process: what is special about them. What is not is in the other files, for
// each allocator.
#include <csignal>
#include <future>
#include <latch>

#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

struct Block {
  using Reply = std::int64_t;
};

// Holds its thread until the test lets go.
class Blocker : public Actor {
 public:
  using Handles = Messages<Block>;
  static inline std::shared_ptr<std::latch> entered, released;
  static inline std::atomic<int> destroyed = 0;
  ~Blocker() override { ++destroyed; }
  std::int64_t handle(Context&, const Block&) {
    const auto [in, out] = std::pair(entered, released);
    in->count_down();
    out->wait();
    return 1;
  }
};

class Local : public MeshTest {
 protected:
  Local() { use_allocator("local"); }

  std::vector<ProcState> states_until_end(Alloc& of) {
    std::vector<ProcState> all;
    while (true) {
      auto state = of.next(soon());
      if (!state) {
        ADD_FAILURE() << state.error().text();
        return all;
      }
      if (!*state) return all;
      all.push_back(**std::move(state));
    }
  }
  template <class State>
  static std::size_t count(const std::vector<ProcState>& all) {
    return static_cast<std::size_t>(std::ranges::count_if(
        all, [](const ProcState& state) { return std::holds_alternative<State>(state); }));
  }
};

TEST_F(Local, AnAllocationSaysThatItSharesThisProcess) {
  const auto local = alloc({.extent = {{"hosts", 1}}});

  EXPECT_TRUE(local->is_local());
  EXPECT_EQ(local->transport(), Transport::kLocal);
  use_allocator("process");
  EXPECT_FALSE(alloc({.extent = {{"hosts", 1}}})->is_local());
  EXPECT_TRUE(runtime().sweep(soon()));
}

TEST_F(Local, HostsAndProcsAreInThisProcessAndCostNoDescriptors) {
  (void)runtime();
  HostMesh first = hosts({{"hosts", 1}});
  first.shutdown();
  const std::size_t descriptors = open_descriptors();

  HostMesh mesh = hosts({{"hosts", 4}});
  ProcMesh workers = procs(mesh, {{"gpus", 2}});
  auto counters = workers.spawn<Counter>("counter", 5);

  for (const auto& [point, identity] : counters.call(WhoAreYou{})) EXPECT_EQ(identity.pid, ::getpid());
  for (Rank rank = 0; rank < 4; ++rank) {
    EXPECT_EQ(host_pid(rank), ::getpid());
    EXPECT_EQ(mesh.ref().hosts()[rank].addr().transport(), Transport::kLocal);
  }
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_EQ(children_of(::getpid()), "");
  mesh.shutdown();
}

TEST_F(Local, AThousandHostsAnswerACast) {
  HostMesh mesh = hosts({{"hosts", 1000}});
  auto counters = procs(mesh, {}).spawn<Counter>("counter", 3);

  counters.cast(Increment{4});

  for (const auto& [point, value] : counters.call(Read{})) EXPECT_EQ(value, 7) << point.text();
  mesh.shutdown();
}

TEST_F(Local, CommandsAreChildrenOfThisProcess) {
  HostMesh mesh = hosts({{"hosts", 2}});
  const auto lines = std::make_shared<Record<std::string>>();
  ProcOptions options;
  options.command = shell("echo $PPID $HOSTMESH_RANK of $HOSTMESH_WORLD_SIZE at $HOSTMESH_HOST_RANK");
  options.on_output = [lines](const ProcOutput& piece) {
    lines->add(std::string(piece.bytes.begin(), piece.bytes.end()));
  };

  ProcMesh commands = mesh.spawn("commands", {{"procs", 2}}, std::move(options));

  ASSERT_TRUE(lines->wait_until([](const auto& all) { return std::ranges::count(all, "") == 4; }));
  auto all = lines->items();
  std::ranges::sort(all);
  const std::string parent = std::to_string(::getpid());
  EXPECT_EQ(std::vector<std::string>(all.begin() + 4, all.end()),
            (std::vector<std::string>{parent + " 0 of 4 at 0\n", parent + " 1 of 4 at 0\n",
                                      parent + " 2 of 4 at 1\n", parent + " 3 of 4 at 1\n"}));
  mesh.shutdown();
}

TEST_F(Local, WhatACommandLeavesBehindIsKilledWithItsHost) {
  // A process with children of its own, which are nobody else's to kill.
  Runtime shared(test_actors());
  std::int64_t daemon = 0;
  {
    HostMesh mesh = HostMesh::allocate(shared, alloc_on(shared, {.extent = {{"hosts", 1}}}), "test");
    const auto lines = std::make_shared<Record<std::string>>();
    ProcOptions options;
    options.command = shell("setsid sh -c 'echo $$; exec sleep 1000' & wait");
    options.on_output = [lines](const ProcOutput& piece) {
      lines->add(std::string(piece.bytes.begin(), piece.bytes.end()));
    };
    ProcMesh commands = mesh.spawn("commands", {}, std::move(options));
    ASSERT_TRUE(lines->wait_until([](const auto& all) { return !all.empty(); }));
    daemon = std::stoll(lines->items().front());
    mesh.shutdown();
  }

  EXPECT_TRUE(is_dead(static_cast<pid_t>(daemon)));
}

TEST_F(Local, EachThatWasCreatedIsStoppedOnceWheneverTheStopComes) {
  for (const bool at_once : {true, false}) {
    const auto local = alloc({.extent = {{"hosts", 20}}});
    if (!at_once) {
      const auto first = local->next(soon());
      ASSERT_TRUE(first && *first);
    }
    local->stop();

    const auto all = states_until_end(*local);
    EXPECT_EQ(count<ProcStopped>(all), count<ProcCreated>(all) + (at_once ? 0 : 1));
    for (const ProcState& state : all) {
      if (const auto* stopped = std::get_if<ProcStopped>(&state)) {
        EXPECT_EQ(stopped->reason.kind, StopReason::Kind::kStopped) << stopped->reason.text();
      }
    }
  }
}

TEST_F(Local, KillIsASignalLikeThatOfAProcess) {
  const auto local = alloc({.extent = {{"hosts", 3}}});
  int running = 0;
  while (running < 3) {
    const auto state = value_or_throw(local->next(soon()));
    ASSERT_TRUE(state);
    if (std::holds_alternative<ProcRunning>(*state)) ++running;
  }

  local->kill();

  const auto all = states_until_end(*local);
  ASSERT_EQ(count<ProcStopped>(all), 3u);
  for (const ProcState& state : all) {
    EXPECT_EQ(std::get<ProcStopped>(state).reason.text(), "killed by signal 9 (KILL)");
  }
}

TEST_F(Local, AStoppedMeshOfProcsTellsWhatItIsToldElsewhere) {
  HostMesh mesh = hosts({{"hosts", 1}});
  ProcMesh gentle = procs(mesh, {{"gpus", 2}});
  ProcMesh rough = procs(mesh, {{"gpus", 2}});

  for (const ProcChange& proc : gentle.stop()) EXPECT_EQ(proc.reason->kind, StopReason::Kind::kStopped);
  for (const ProcChange& proc : rough.stop(Duration::zero())) EXPECT_EQ(proc.reason->signal, SIGKILL);

  EXPECT_EQ(error_of([&] { (void)gentle.spawn<Counter>("counter", 1); }).cause(), Cause::kPeerGone);
  mesh.shutdown();
}

TEST_F(Local, AnActorThatIsStuckHoldsUpNobodysEnd) {
  Blocker::entered = std::make_shared<std::latch>(1);
  Blocker::released = std::make_shared<std::latch>(1);
  Blocker::destroyed = 0;
  ActorTable actors = test_actors();
  actors.add<Blocker>("blocker");
  auto own = std::make_unique<Runtime>(std::move(actors));
  {
    HostMesh mesh = HostMesh::allocate(*own, alloc_on(*own, {.extent = {{"hosts", 2}}}), "test");
    ProcMesh workers = procs(mesh, {});
    auto blockers = workers.spawn<Blocker>("blocker");
    std::promise<Result<std::int64_t>> answer;
    own->client().call_async(blockers.at(0), Block{}, soon(),
                             [&](Result<std::int64_t> result) { answer.set_value(std::move(result)); });
    Blocker::entered->wait();

    mesh.shutdown();

    EXPECT_EQ(workers.statuses().get(0), Status::stopped());
    EXPECT_EQ(answer.get_future().get().error().cause(), Cause::kPeerGone);
    EXPECT_EQ(Blocker::destroyed, 1) << "the one that was free";
  }
  Blocker::released->count_down();
  own.reset();
  EXPECT_EQ(Blocker::destroyed, 2);
}

TEST_F(Local, ARuntimeMayEndBeforeItsHosts) {
  auto own = std::make_unique<Runtime>(test_actors());
  {
    HostMesh mesh = HostMesh::allocate(*own, alloc_on(*own, {.extent = {{"hosts", 8}}}), "test");
    ProcMesh workers = procs(mesh, {{"gpus", 2}});
    auto counters = workers.spawn<Counter>("counter", 5);
    counters.cast(Increment{1});
  }

  own.reset();
}

TEST_F(Local, TwoRuntimesHaveHostsInOneProcess) {
  Runtime other(test_actors());
  HostMesh here = hosts({{"hosts", 2}});
  HostMesh there = HostMesh::allocate(other, alloc_on(other, {.extent = {{"hosts", 2}}}), "other");
  auto ours = procs(here, {}).spawn<Counter>("counter", 1);
  auto theirs = procs(there, {}).spawn<Counter>("counter", 2);

  here.shutdown();

  EXPECT_EQ(theirs.call(Read{}).at(1).second, 2);
  there.shutdown();
}

TEST_F(Local, OneThatDoesNotSayHelloInTimeIsSentAway) {
  config().set(ConfigLayer::kRuntime, attribute::kHelloTimeout, std::chrono::nanoseconds(1));
  const auto local = alloc({.extent = {{"hosts", 2}}});

  const auto all = states_until_end(*local);

  EXPECT_EQ(count<ProcRunning>(all), 0u);
  EXPECT_EQ(count<ProcStopped>(all), count<ProcCreated>(all));
}

}  // namespace
}  // namespace hostmesh::test
