// Group scale: many at once, and many times.
#include <dirent.h>
#include <malloc.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <sstream>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "hostmesh/conformance/folder.hpp"
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

// More than a plugin may care to keep apart, all alive at once.
void one_process_each(Stage& stage) {
  constexpr std::size_t kLaunches = 48;
  const Folder folder;
  Probe probe(stage);
  std::vector<LaunchId> launches;
  for (std::size_t i = 0; i < kLaunches; ++i) {
    launches.push_back(probe.launch(stage.payload({"leave-mark", folder.path().string()})));
  }
  for (const LaunchId launch : launches) probe.await_output(launch, "ready ");
  const auto marks = [&] {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder.path()), {}));
  };
  // One that is too many may still be on its way.
  probe.record().wait(stage.within(std::chrono::milliseconds(200)), [&] { return marks() > kLaunches; });
  stage.equal("the number of processes that were started for " + std::to_string(kLaunches) + " launches",
              marks(), kLaunches);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kIsSanitized = true;
#else
constexpr bool kIsSanitized = false;
#endif

// What this process has in memory that is its own, in KiB.
std::size_t own_memory_kib() {
  ::malloc_trim(0);
  std::istringstream status(read_proc_file("/proc/self/status").value_or(""));
  for (std::string name; status >> name;) {
    std::size_t kib = 0;
    if (name == "RssAnon:" && status >> kib) return kib;
  }
  return 0;
}

void memory(Stage& stage) {
  if (kIsSanitized) stage.skip("a sanitizer keeps what is freed");
  constexpr int kAtATime = 50;
  constexpr std::size_t kMost_kib = 4;  // for each launch, of which most is what the suite itself records
  Probe probe(stage);
  const auto launch = [&](int count) {
    for (int i = 0; i < count; i += kAtATime) {
      std::vector<LaunchId> launches;
      for (int k = 0; k < kAtATime; ++k) launches.push_back(probe.launch(stage.payload({"exit", "0"})));
      for (const LaunchId each : launches) probe.await_end(each);
    }
  };
  launch(100);
  const std::size_t before = own_memory_kib();

  launch(1000);

  const std::size_t after = own_memory_kib();
  stage.note("memory: " + std::to_string(before) + " KiB before, " + std::to_string(after) + " KiB after");
  stage.expect(after <= before + 1000 * kMost_kib, "a thousand launches leave less than 4 MiB in memory",
               std::to_string((after - before) / 1024) + " MiB more than before");
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
      {.id = "scale.one-process-each",
       .sentence = "Each launch is one process, however many there are at once.",
       .needs = needs::kProcesses | needs::kSameMachine | needs::kOutput,
       .deadline = std::chrono::seconds(30),
       .rule = "abi.h, launch",
       .run = one_process_each,
       .builds_on = "order.every-launch-ends"},
      {.id = "scale.memory",
       .sentence = "A thousand launches that have ended leave nothing in the memory of the client.",
       .needs = needs::kProcesses | needs::kSameMachine,
       .deadline = std::chrono::seconds(60),
       .rule = "abi.h, hostmesh_instance",
       .run = memory,
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
