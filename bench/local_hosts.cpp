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

// Wall clock and CPU, in ms.
class Watch {
 public:
  std::string text(const char* name) const {
    const std::string key(name);
    return key + "_ms=" + std::to_string(bench::ms_since(start_)) + " " + key +
           "_cpu_ms=" + std::to_string(bench::cpu_ms(RUSAGE_SELF) - cpu_) + " ";
  }

 private:
  const bench::Clock::time_point start_ = bench::Clock::now();
  const double cpu_ = bench::cpu_ms(RUSAGE_SELF);
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

  const Watch up;
  HostMesh mesh =
      HostMesh::allocate(runtime, allocator->allocate({.extent = Extent{{"hosts", count}}}), "bench");
  std::string text = up.text("up");
  const double host_kib = each();

  const Watch ask;
  const Deadline deadline = Deadline::after(std::chrono::seconds(60));
  Gather<std::vector<std::string>> answers(count, deadline);
  for (Rank rank = 0; rank < count; ++rank) {
    runtime.client().call_async(mesh.ref().hosts()[rank].agent(), ListMeshes{}, deadline, answers.slot(rank));
  }
  value_or_throw(answers.wait("answer"));
  text += ask.text("ask");

  const Watch procs_up;
  ProcMesh procs = mesh.spawn("workers", {});
  auto answerers = procs.spawn<Answerer>("answerer");
  text += procs_up.text("procs_up");
  const double both_kib = each();

  const Watch cast;
  for (const auto& [point, answer] : answerers.call(Ask{})) {
    if (answer != 42) throw Error(Cause::kInternal, "a wrong answer at " + point.text());
  }
  text += cast.text("cast");

  const Watch down;
  mesh.shutdown();
  text += down.text("down");
  std::printf("%shost_kib=%.2f proc_kib=%.2f\n", text.c_str(), host_kib, both_kib - host_kib);
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
