// bench-death PLUGINS_YAML N: kills N idle procs with SIGKILL, one after another, and measures until each
// Stopped event.
#include <csignal>
#include <cstdio>
#include <map>

#include "hostmesh/hostmesh.hpp"
#include "measure.hpp"

int main(int argc, char** argv) {
  using namespace hostmesh;
  if (argc < 3) return 2;
  const std::uint64_t count = std::stoull(argv[2]);
  try {
    Runtime runtime;
    const auto allocator = load_allocator(argv[1], "", runtime);
    const auto alloc = allocator->allocate({.extent = Extent{{"procs", count}}});
    const Deadline deadline = Deadline::after(std::chrono::seconds(60));
    std::map<Rank, pid_t> pids;
    for (std::uint64_t running = 0; running < count;) {
      const auto state = value_or_throw(alloc->next(deadline));
      if (!state) throw Error(Cause::kInternal, "the stream ended early");
      if (const auto* created = std::get_if<ProcCreated>(&*state))
        pids[created->rank] = static_cast<pid_t>(created->pid);
      if (std::holds_alternative<ProcRunning>(*state)) ++running;
    }
    std::vector<double> us;
    for (const auto& [rank, pid] : pids) {
      const auto start = bench::Clock::now();
      ::kill(pid, SIGKILL);
      for (;;) {
        const auto state = value_or_throw(alloc->next(deadline));
        if (!state) throw Error(Cause::kInternal, "the stream ended early");
        const auto* stopped = std::get_if<ProcStopped>(&*state);
        if (stopped != nullptr && stopped->rank == rank) break;
      }
      us.push_back(bench::ms_since(start) * 1e3);
    }
    std::printf("death_us=%.1f\n", bench::median(us));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench-death: %s\n", failure.what());
    return 1;
  }
  return 0;
}
