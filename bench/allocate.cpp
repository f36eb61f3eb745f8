// bench-allocate PLUGINS_YAML ALLOCATOR N [memory]: from allocate() to all Running, then stop_and_wait(); one
// line of name=value. With `memory`, what the idle children use is added.
#include <cstdio>
#include <cstring>
#include <set>

#include "hostmesh/hostmesh.hpp"
#include "measure.hpp"

int main(int argc, char** argv) {
  using namespace hostmesh;
  if (argc < 4) return 2;
  const std::uint64_t count = std::stoull(argv[3]);
  try {
    Runtime runtime;
    const auto allocator = load_allocator(argv[1], argv[2], runtime);
    const double cpu_before = bench::cpu_ms(RUSAGE_SELF);
    const auto start = bench::Clock::now();
    const auto alloc = allocator->allocate({.extent = Extent{{"procs", count}}});
    const Deadline deadline = Deadline::after(std::chrono::seconds(60));
    std::vector<pid_t> pids;
    for (std::uint64_t running = 0; running < count;) {
      const auto state = value_or_throw(alloc->next(deadline));
      if (!state) throw Error(Cause::kInternal, "the stream ended early");
      if (const auto* created = std::get_if<ProcCreated>(&*state))
        pids.push_back(static_cast<pid_t>(created->pid));
      if (std::holds_alternative<ProcRunning>(*state)) ++running;
      if (const auto* stopped = std::get_if<ProcStopped>(&*state)) {
        throw Error(Cause::kChildExited, "a child " + stopped->reason.text());
      }
      if (const auto* failed = std::get_if<AllocFailed>(&*state)) throw failed->error;
    }
    const double up = bench::ms_since(start);
    const double parent_up = bench::cpu_ms(RUSAGE_SELF) - cpu_before;
    std::string memory;
    if (argc > 4 && std::strcmp(argv[4], "memory") == 0) {
      bench::Memory used;
      for (const pid_t pid : pids) used.add(pid);
      memory = " " + used.text();
    }
    const double parent_before = bench::cpu_ms(RUSAGE_SELF);
    const auto stop = bench::Clock::now();
    value_or_throw(alloc->stop_and_wait(Deadline::after(std::chrono::seconds(60))));
    const double down = bench::ms_since(stop);
    const double parent_down = bench::cpu_ms(RUSAGE_SELF) - parent_before;
    std::printf(
        "up_ms=%.3f down_ms=%.3f parent_up_cpu_ms=%.2f parent_down_cpu_ms=%.2f children_cpu_ms=%.2f%s\n", up,
        down, parent_up, parent_down, bench::cpu_ms(RUSAGE_CHILDREN), memory.c_str());
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench-allocate: %s\n", failure.what());
    return 1;
  }
  return 0;
}
