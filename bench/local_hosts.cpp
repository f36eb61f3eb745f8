// bench-local_hosts PLUGINS_YAML ALLOCATOR N: N hosts inside this process, from allocate() until all are
// ready; one call to each; then a proc with an actor on each, and a cast that every one of them answers; then
// shutdown(). One line of name=value; memory is what this process has grown by, for each host.
#include <cstdio>
#include <memory>

#include "hostmesh/hostmesh.hpp"
#include "hostmesh/mesh/messages.hpp"
#include "measure.hpp"

namespace {

using namespace hostmesh;

struct Ask {
  using Reply = std::uint64_t;
};

class Answerer : public Actor {
 public:
  using Handles = Messages<Ask>;
  std::uint64_t handle(Context&, const Ask&) { return 42; }
};

double resident_kib() {
  return bench::kib_of("/proc/self/status", "VmRSS");
}

void measure(const char* file, const char* name, std::uint64_t count) {
  ActorTable actors;
  actors.add<Answerer>("answerer");
  Runtime runtime(std::move(actors));
  const auto allocator = load_allocator(file, name, runtime);
  const auto each = [count, base = resident_kib()] {
    return (resident_kib() - base) / static_cast<double>(count);
  };
  const double cpu_before = bench::cpu_ms(RUSAGE_SELF);

  auto start = bench::Clock::now();
  HostMesh mesh =
      HostMesh::allocate(runtime, allocator->allocate({.extent = Extent{{"hosts", count}}}), "bench");
  const double up = bench::ms_since(start);
  const double up_cpu = bench::cpu_ms(RUSAGE_SELF) - cpu_before;
  const double host_kib = each();

  start = bench::Clock::now();
  Gather<std::vector<std::string>> answers(count);
  for (Rank rank = 0; rank < count; ++rank) {
    runtime.client().call_async(mesh.ref().hosts()[rank].agent(), ListMeshes{},
                                Deadline::after(std::chrono::seconds(60)), answers.slot(rank));
  }
  value_or_throw(answers.wait("answer"));
  const double ask = bench::ms_since(start);

  start = bench::Clock::now();
  ProcMesh procs = mesh.spawn("workers", {});
  auto answerers = procs.spawn<Answerer>("answerer");
  const double procs_up = bench::ms_since(start);
  const double both_kib = each();

  start = bench::Clock::now();
  for (const auto& [point, answer] : answerers.call(Ask{})) {
    if (answer != 42) throw Error(Cause::kInternal, "a wrong answer at " + point.text());
  }
  const double cast = bench::ms_since(start);

  start = bench::Clock::now();
  mesh.shutdown();
  const double down = bench::ms_since(start);
  std::printf(
      "up_ms=%.2f up_cpu_ms=%.2f ask_ms=%.2f procs_up_ms=%.2f cast_ms=%.2f down_ms=%.2f host_kib=%.2f "
      "proc_kib=%.2f\n",
      up, up_cpu, ask, procs_up, cast, down, host_kib, both_kib - host_kib);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  try {
    measure(argv[1], argv[2], std::stoull(argv[3]));
  } catch (const std::exception& failure) {
    std::fprintf(stderr, "bench-local_hosts: %s\n", failure.what());
    return 1;
  }
  return 0;
}
