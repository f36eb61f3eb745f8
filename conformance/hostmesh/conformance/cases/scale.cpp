// Group scale: many at once, and many times.
#include <dirent.h>

#include <algorithm>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "hostmesh/conformance/probe.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh::conformance {

namespace {

std::size_t entries_of(const char* folder) {
  DIR* open = ::opendir(folder);
  if (open == nullptr) return 0;
  std::size_t count = 0;
  while (::readdir(open) != nullptr) ++count;
  ::closedir(open);
  return count;
}

// What a process has and could lose track of.
struct Held {
  std::size_t descriptors = entries_of("/proc/self/fd");
  std::size_t threads = entries_of("/proc/self/task");
  std::size_t children = children_of_this_process().size();
};

void expect_no_growth(Stage& stage, const Held& before, const Held& after) {
  // One more than before is an accident of the moment; a hundred times as many are not.
  constexpr std::size_t kSlack = 5;
  const auto judge = [&](const std::string& what, std::size_t then, std::size_t now) {
    stage.expect(now <= then + kSlack, "as many " + what + " as before, which were " + std::to_string(then),
                 std::to_string(now));
  };
  judge("descriptors", before.descriptors, after.descriptors);
  judge("threads", before.threads, after.threads);
  judge("children", before.children, after.children);
}

void instant_exits(Stage& stage) {
  for (int round = 0; round < 10; ++round) {
    Probe probe(stage);
    for (int i = 0; i < 64; ++i) probe.launch(stage.payload({"exit", "0"}));
    for (LaunchId id = 1; id <= 64; ++id) {
      const Seen seen = probe.await_end(id);
      stage.expect(!seen.error, "each of 64 launches that exit at once is reported as exited",
                   "launch " + std::to_string(id) + " " + seen.text());
    }
  }
}

void many_ranks(Stage& stage) {
  const std::uint64_t ranks = stage.plugin().can(Capability::kLocalProcs) ? 1000 : 256;
  Fleet fleet(stage);
  auto procs = fleet.allocate({.extent = {{"x", ranks}}});
  procs.await_running();

  procs.alloc().stop();
  procs.await_end();

  expect_complete(stage, procs.states());
  stage.equal("the number of procs that are Stopped", procs.of<ProcStopped>().size(), ranks);
}

void many_launches(Stage& stage) {
  Probe probe(stage);
  const auto ten = [&] {
    std::vector<LaunchId> launches;
    for (int i = 0; i < 10; ++i) launches.push_back(probe.launch(stage.payload({"exit", "0"})));
    for (const LaunchId launch : launches) probe.await_end(launch);
  };
  ten();
  const Held before;

  for (int i = 0; i < 10; ++i) ten();

  expect_no_growth(stage, before, Held());
}

void many_instances(Stage& stage) {
  const auto use = [&] {
    Probe probe(stage);
    probe.await_end(probe.launch(stage.payload({"exit", "0"})));
  };
  use();
  const Held before;

  for (int i = 0; i < 30; ++i) use();

  expect_no_growth(stage, before, Held());
}

void many_allocations(Stage& stage) {
  Fleet fleet(stage);
  const auto use = [&] {
    auto procs = fleet.allocate({.extent = {{"x", 4}}});
    procs.await_running();
    procs.alloc().stop();
    procs.await_end();
  };
  use();
  const Held before;

  for (int i = 0; i < 15; ++i) use();

  expect_no_growth(stage, before, Held());
}

}  // namespace

const std::vector<Case>& scale_cases() {
  static const std::vector<Case> cases = {
      {.id = "scale.instant-exits",
       .sentence = "64 launches that exit at once all come to their end, ten times.",
       .needs = needs::kProcesses,
       .deadline = std::chrono::seconds(60),
       .rule = "abi.h, hostmesh_host_table",
       .run = instant_exits,
       .builds_on = "order.every-launch-ends"},
      {.id = "scale.many-ranks",
       .sentence = "256 ranks, or 1000 inside one process, come up and go away.",
       .deadline = std::chrono::seconds(60),
       .rule = "alloc.hpp, Alloc",
       .run = many_ranks,
       .builds_on = "alloc.comes-up"},
      {.id = "scale.many-launches",
       .sentence = "A hundred launches leave no descriptor, no thread and no child behind.",
       .needs = needs::kProcesses,
       .deadline = std::chrono::seconds(30),
       .rule = "abi.h, hostmesh_instance",
       .run = many_launches,
       .builds_on = "order.every-launch-ends"},
      {.id = "scale.many-instances",
       .sentence = "Thirty instances leave no descriptor, no thread and no child behind.",
       .needs = needs::kProcesses,
       .deadline = std::chrono::seconds(30),
       .rule = "abi.h, create and destroy",
       .run = many_instances,
       .builds_on = "order.every-launch-ends"},
      {.id = "scale.many-allocations",
       .sentence = "Fifteen allocations leave no descriptor, no thread and no child behind.",
       .deadline = std::chrono::seconds(30),
       .rule = "alloc.hpp, Alloc",
       .run = many_allocations,
       .builds_on = "alloc.comes-up"},
  };
  return cases;
}

}  // namespace hostmesh::conformance
