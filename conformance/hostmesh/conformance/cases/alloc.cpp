// Group alloc: what a client sees of the procs that are allocated, for allocators of every kind.
#include <unistd.h>

#include <csignal>
#include <set>
#include <utility>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "payload/actors.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kStream = "proc_state.hpp";
constexpr std::string_view kAlloc = "alloc.hpp, Alloc";

AllocSpec of(Extent extent) {
  return {.extent = std::move(extent)};
}

void comes_up(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 4}}));

  procs.await_running();

  expect_in_order(stage, procs.states());
  std::set<Rank> ranks;
  std::set<std::string> ids;
  for (const ProcRunning& each : procs.of<ProcRunning>()) {
    ranks.insert(each.rank);
    ids.insert(each.proc_id.text());
  }
  stage.equal("the number of ranks that run", ranks.size(), 4U);
  stage.equal("the number of different procs", ids.size(), 4U);
  procs.alloc().stop();
  procs.await_end();
}

void stops(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 4}}));
  procs.await_running();

  procs.alloc().stop();
  procs.await_end();

  expect_complete(stage, procs.states());
  stage.equal("the number of procs that are Stopped", procs.of<ProcStopped>().size(), 4U);
  for (const ProcStopped& each : procs.of<ProcStopped>()) {
    stage.equal("the reason of rank " + std::to_string(each.rank), each.reason.text(),
                StopReason{.kind = StopReason::Kind::kStopped,
                           .code = 0,
                           .signal = 0,
                           .core_dumped = false,
                           .stderr_tail = {},
                           .detail = {}}
                    .text());
  }
}

void stays_ended(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 2}}));
  procs.await_running();
  procs.alloc().stop();
  procs.await_end();

  for (int i = 0; i < 10; ++i) {
    procs.alloc().stop();
    const auto state = procs.next();
    stage.expect(!state, "a stream that has ended stays ended", state ? text_of(*state) : "");
  }
}

void stop_at_once(Stage& stage) {
  for (int i = 0; i < 10; ++i) {
    Fleet fleet(stage);
    auto procs = fleet.allocate(of({{"x", 2}}));
    procs.alloc().stop();
    procs.await_end();
    expect_complete(stage, procs.states());
  }
}

void stop_repeated(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 4}}));
  procs.await_running();

  for (int i = 0; i < 10; ++i) procs.alloc().stop();
  procs.await_end();

  expect_complete(stage, procs.states());
}

// Nobody asks for what happens until all of it has.
void slow_consumer(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 8}}));
  auto other = fleet.allocate(of({{"x", 8}}));
  other.await_running();
  other.alloc().stop();
  other.await_end();

  // Nothing of the first has been taken while the second lived.
  procs.await_running();
  procs.alloc().stop();
  procs.await_end();

  expect_complete(stage, procs.states());
  stage.equal("the number of procs that are Stopped", procs.of<ProcStopped>().size(), 8U);
}

void allocations_apart(Stage& stage) {
  Fleet fleet(stage);
  auto first = fleet.allocate(of({{"x", 2}}));
  auto second = fleet.allocate(of({{"x", 2}}));
  first.await_running();
  second.await_running();

  first.alloc().stop();
  first.await_end();

  const auto news = second.alloc().next(stage.within(std::chrono::milliseconds(200)));
  stage.expect(!news, "the stop of one allocation leaves the other alone",
               news && *news ? text_of(**news) : "the stream of the other has ended");
  second.alloc().stop();
  second.await_end();
  std::set<std::string> keys;
  for (const auto* one : {&first, &second}) {
    for (const ProcCreated& each : one->of<ProcCreated>()) keys.insert(each.create_key.text());
  }
  stage.equal("the number of different create keys", keys.size(), 4U);
  stage.expect(first.alloc().name() != second.alloc().name(), "allocations have names of their own",
               first.alloc().name());
}

void dropped_while_running(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 4}}));
  procs.await_running();

  const TimePoint start = Clock::now();
  procs.drop();

  const Duration took = Clock::now() - start;
  stage.expect(took <= stage.scaled(std::chrono::seconds(1)), "letting go of an allocation returns at once",
               "it took " + hostmesh::to_string(took));
  // That nobody is left is looked at after every case.
}

void dropped_at_once(Stage& stage) {
  for (int i = 0; i < 10; ++i) {
    Fleet fleet(stage);
    auto procs = fleet.allocate(of({{"x", 2}}));
    procs.drop();
  }
}

void points(Stage& stage) {
  Fleet fleet(stage);
  for (const Extent& extent : {Extent(), Extent{{"x", 3}}, Extent{{"x", 2}, {"y", 3}}}) {
    auto procs = fleet.allocate(of(extent));
    procs.await_running();
    stage.equal("the number of procs of " + extent.text(), procs.of<ProcCreated>().size(),
                extent.num_ranks());
    for (const ProcCreated& each : procs.of<ProcCreated>()) {
      const Point wanted = value_or_throw(extent.point_of_rank(each.rank));
      stage.equal("the point of rank " + std::to_string(each.rank), each.point, wanted);
    }
    procs.alloc().stop();
    procs.await_end();
  }
}

void proc_names(Stage& stage) {
  Fleet fleet(stage);
  auto unnamed = fleet.allocate(of({{"x", 2}}));
  auto named = fleet.allocate({.extent = {{"x", 2}}, .proc_name = "front"});
  unnamed.await_running();
  named.await_running();

  for (const ProcRunning& each : unnamed.of<ProcRunning>()) {
    stage.equal("the name of rank " + std::to_string(each.rank), each.proc_id.text(),
                unnamed.alloc().name() + "[" + std::to_string(each.rank) + "]");
  }
  for (const ProcRunning& each : named.of<ProcRunning>()) {
    stage.equal("the name of rank " + std::to_string(each.rank), each.proc_id.text(),
                each.addr.text() + ",front");
  }
  stage.expect(named.of<ProcRunning>()[0].addr != named.of<ProcRunning>()[1].addr,
               "each named proc has an address of its own", named.of<ProcRunning>()[0].addr.text());
  for (auto* each : {&unnamed, &named}) {
    each->alloc().stop();
    each->await_end();
  }
}

void locality(Stage& stage) {
  const bool local = stage.plugin().can(Capability::kLocalProcs);
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 2}}));
  procs.await_running();

  stage.equal("is_local of the allocation", procs.alloc().is_local(), local);
  for (const ProcCreated& each : procs.of<ProcCreated>()) {
    stage.expect((each.pid == ::getpid()) == local,
                 local ? "each proc is in this process" : "no proc is in this process", text_of(each));
  }
  procs.alloc().stop();
  procs.await_end();
}

void no_ranks(Stage& stage) {
  Fleet fleet(stage);
  bool refused = false;
  try {
    fleet.allocate(of({{"x", 0}}));
  } catch (const Error& error) {
    refused = true;
    stage.note(error.text());
  }
  stage.expect(refused, "an extent without ranks is refused at once", "it was not");
}

// The plugin sees that as a launch of the same rank and the next incarnation.
void respawn(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(
      {.extent = {{"x", 2}}, .respawn = {.max_restarts = 2, .backoff = std::chrono::milliseconds(1)}},
      fleet.child({"child", "dies_after_hello"}));
  procs.await_end();

  expect_complete(stage, procs.states());
  for (Rank rank = 0; rank < 2; ++rank) {
    std::set<std::string> keys;
    for (const ProcCreated& each : procs.of<ProcCreated>()) {
      if (each.rank == rank) keys.insert(each.create_key.text());
    }
    stage.equal(
        "the number of procs that rank " + std::to_string(rank) + " has had, which may be restarted twice",
        keys.size(), 3U);
  }
}

void kill_all(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 4}}));
  procs.await_running();

  procs.alloc().kill();
  procs.await_end();

  expect_complete(stage, procs.states());
  for (const ProcStopped& each : procs.of<ProcStopped>()) {
    // Its lifeline ends as well, and it may see that first.
    const bool killed = each.reason.signal == SIGKILL || each.reason.kind == StopReason::Kind::kExited;
    stage.expect(killed, "each proc is killed, or exits as its lifeline ends", text_of(each));
  }
}

void failed_allocation_ends(Stage& stage) {
  Fleet fleet(stage);
  BootstrapCommand missing = fleet.child();
  missing.argv = {"/nonexistent/hostmesh-conformance"};
  auto procs = fleet.allocate(of({{"x", 4}}), missing);

  procs.await_end();

  expect_complete(stage, procs.states());
  stage.equal("the number of procs that ran", procs.of<ProcRunning>().size(), 0U);
  const auto failed = procs.of<AllocFailed>();
  // Where the launch is a command on its way to elsewhere, that is what is Created and Stopped.
  stage.expect(failed.size() <= 1, "an allocation fails once", procs.text());
  stage.expect(failed.size() == 1 || procs.of<ProcStopped>().size() == 4,
               "an allocation whose program is not there fails, or each proc of it is Stopped", procs.text());
}

// Before it has said a word.
void child_exits(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate(of({{"x", 4}}), fleet.child({"print", "stderr", "the last words\n", "3"}));

  procs.await_end();

  expect_complete(stage, procs.states());
  stage.equal("the number of procs that ran", procs.of<ProcRunning>().size(), 0U);
  stage.equal("the number of procs that are Stopped", procs.of<ProcStopped>().size(), 4U);
  for (const ProcStopped& each : procs.of<ProcStopped>()) {
    stage.equal("the exit code of rank " + std::to_string(each.rank), each.reason.code, 3);
  }
}

void everybody_meets(Stage& stage) {
  Fleet fleet(stage);
  HostMesh hosts = fleet.host_mesh(of({{"hosts", 4}}));
  ProcMesh procs = fleet.procs(hosts, {{"procs", 2}});
  stage.equal("the number of procs", procs.extent().num_ranks(), 8U);
  const auto visitors = procs.spawn<payload::Visitor>("visitor");

  auto [home, arrived] = fleet.runtime().client().open_port<payload::Meeting>();
  for (const auto& from : visitors.refs()) {
    for (const auto& to : visitors.refs()) {
      if (from.id() != to.id()) fleet.runtime().client().send(from, payload::Visit{to.id(), home});
    }
  }

  std::set<std::pair<std::string, std::string>> pairs;
  while (pairs.size() < 56) {
    const auto meeting = arrived.receive(stage.deadline());
    stage.expect(meeting.has_value(), "every proc reaches every other",
                 std::to_string(pairs.size()) + " of 56 ordered pairs did");
    pairs.emplace(meeting->from.text(), meeting->to.text());
  }
  hosts.shutdown();
}

}  // namespace

const std::vector<Case>& alloc_cases() {
  const Needs any = needs::kNothing;
  const std::string_view base = "alloc.comes-up";
  static const std::vector<Case> cases = {
      {.id = "alloc.comes-up",
       .sentence = "Every rank of an allocation is Created and then Running, as a proc of its own.",
       .needs = any,
       .rule = kStream,
       .run = comes_up},
      {.id = "alloc.stops",
       .sentence = "After stop each proc is Stopped once, because it was stopped, and then the stream ends.",
       .needs = any,
       .deadline = std::chrono::seconds(15),
       .rule = kStream,
       .run = stops,
       .builds_on = base},
      {.id = "alloc.stays-ended",
       .sentence = "A stream that has ended stays ended, however often it is asked and stopped again.",
       .needs = any,
       .rule = kAlloc,
       .run = stays_ended,
       .builds_on = base},
      {.id = "alloc.stop-at-once",
       .sentence = "An allocation that is stopped before anybody asks for its states comes to its end.",
       .needs = any,
       .deadline = std::chrono::seconds(20),
       .rule = kAlloc,
       .run = stop_at_once,
       .builds_on = base},
      {.id = "alloc.stop-repeated",
       .sentence = "stop may be repeated.",
       .needs = any,
       .rule = kAlloc,
       .run = stop_repeated,
       .builds_on = base},
      {.id = "alloc.slow-consumer",
       .sentence = "Procs come up, and no state is lost, while nobody asks.",
       .needs = any,
       .deadline = std::chrono::seconds(20),
       .rule = kAlloc,
       .run = slow_consumer,
       .builds_on = base},
      {.id = "alloc.apart",
       .sentence =
           "Allocations know nothing of each other: one is stopped, the other lives; keys are unique.",
       .needs = any,
       .rule = kAlloc,
       .run = allocations_apart,
       .builds_on = base},
      {.id = "alloc.dropped-while-running",
       .sentence = "Whoever lets go of an allocation does not wait, and its procs end.",
       .needs = any,
       .rule = kAlloc,
       .run = dropped_while_running,
       .builds_on = base},
      {.id = "alloc.dropped-at-once",
       .sentence = "An allocation that is let go of while it comes up leaves nothing.",
       .needs = any,
       .deadline = std::chrono::seconds(20),
       .rule = kAlloc,
       .run = dropped_at_once,
       .builds_on = base},
      {.id = "alloc.points",
       .sentence =
           "Ranks count the points of the extent in row-major order, without dimensions there is one.",
       .needs = any,
       .rule = "extent.hpp",
       .run = points,
       .builds_on = base},
      {.id = "alloc.proc-names",
       .sentence = "Procs are named after the allocation and their rank, or as the allocation asks.",
       .needs = any,
       .rule = "spec.hpp, AllocSpec::proc_name",
       .run = proc_names,
       .builds_on = base},
      {.id = "alloc.locality",
       .sentence = "Procs are inside this process if the plugin says so, and elsewhere if it does not.",
       .needs = any,
       .rule = "abi.h, HOSTMESH_CAPABILITY_LOCAL_PROCS",
       .run = locality,
       .builds_on = base},
      {.id = "alloc.no-ranks",
       .sentence = "An extent without ranks is refused at once.",
       .needs = any,
       .rule = "spec.hpp, validate",
       .run = no_ranks,
       .builds_on = base},
      {.id = "alloc.respawn",
       .sentence = "A rank whose proc ends is started anew, as often as the allocation says.",
       .needs = needs::kProcesses,
       .rule = "spec.hpp, RespawnPolicy",
       .run = respawn,
       .builds_on = base},
      {.id = "alloc.kill",
       .sentence = "An allocation that is killed comes to its end, and none of its procs has the time to "
                   "stop in order.",
       .needs = needs::kSignal | needs::kExitStatus,
       .rule = kAlloc,
       .run = kill_all,
       .builds_on = base},
      {.id = "alloc.failure-ends",
       .sentence = "The stream of an allocation that cannot become complete ends.",
       .needs = needs::kProcesses,
       .rule = kStream,
       .run = failed_allocation_ends,
       .builds_on = base},
      {.id = "alloc.child-exits-early",
       .sentence =
           "Children that exit before they say Hello are Stopped with their exit code; then the stream ends.",
       .needs = needs::kProcesses | needs::kExitStatus,
       .rule = kStream,
       .run = child_exits,
       .builds_on = base},
      {.id = "alloc.everybody-meets",
       .sentence = "On a mesh of four hosts with two procs each, every actor reaches every other.",
       .needs = any,
       .deadline = std::chrono::seconds(20),
       .rule = "host_mesh.hpp",
       .run = everybody_meets,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
