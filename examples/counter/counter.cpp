// Two hosts with two procs each, a counter on every proc; all are incremented and read at once.
//
//   counter [PLUGINS.YAML [ALLOCATOR]]
#include <cstdint>
#include <exception>
#include <iostream>
#include <string>
#include <tuple>

#include "hostmesh/hostmesh.hpp"

namespace {

struct Increment {
  std::int64_t by = 0;
};

struct Read {
  using Reply = std::int64_t;
};

class Counter : public hostmesh::Actor {
 public:
  using Handles = hostmesh::Messages<Increment, Read>;
  using Parameters = std::tuple<std::int64_t>;  // what the constructor takes, as it travels

  explicit Counter(std::int64_t start) : value_(start) {}
  void handle(hostmesh::Context&, const Increment& increment) { value_ += increment.by; }
  std::int64_t handle(hostmesh::Context&, const Read&) { return value_; }

 private:
  std::int64_t value_;
};

void count(const std::string& plugins, const std::string& allocator, const hostmesh::ActorTable& actors) {
  hostmesh::Runtime runtime(actors);
  auto alloc = hostmesh::load_allocator(plugins, allocator, runtime)->allocate({.extent = {{"hosts", 2}}});
  auto mesh = hostmesh::HostMesh::allocate(runtime, std::move(alloc), "demo");
  // The procs are this very program, which knows what a counter is.
  auto procs =
      mesh.spawn("workers", {{"gpus", 2}}, {.bootstrap = hostmesh::BootstrapCommand::this_program()});
  auto counters = procs.spawn<Counter>("counter", 1);
  counters.cast(Increment{3});
  for (const auto& [point, value] : counters.call(Read{})) std::cout << point << " " << value << "\n";
  mesh.shutdown();
  std::cout << "shut down\n";
}

}  // namespace

int main(int argc, char** argv) {
  hostmesh::ActorTable actors;
  actors.add<Counter>("counter");
  hostmesh::bootstrap_if_child(actors);  // in a child: becomes a proc, and does not return

  try {
    count(argc > 1 ? argv[1] : "", argc > 2 ? argv[2] : "", actors);
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << "\n";
    return 1;
  }
}
