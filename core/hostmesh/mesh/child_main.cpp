#include "hostmesh/mesh/child_main.hpp"

#include <memory>
#include <utility>

#include "hostmesh/bootstrap/child.hpp"
#include "hostmesh/mesh/host.hpp"
#include "hostmesh/mesh/proc_agent.hpp"
#include "hostmesh/mesh/trampoline.hpp"
#include "hostmesh/process/fork_server.hpp"

namespace hostmesh {

namespace {

// What a child grows into: a proc with its agent, and a host when the trampoline says so.
struct Residence {
  explicit Residence(bootstrap::Node& its_node) : node(its_node) {}

  std::optional<Result<ActorId>> built_in(Proc& proc, const SpawnActor& request) {
    if (request.type != kTrampoline) return std::nullopt;
    return Trampoline::spawn(proc, request, node, host);
  }

  Result<ActorId> start(Proc& proc) {
    return proc.spawn(
        kAgentActor,
        detail::typed_actor(std::make_unique<ProcAgent>(
            node.config, [this](Proc& on, const SpawnActor& request) { return built_in(on, request); })),
        {.where = Where::kReactor,
         .owner = std::nullopt,
         .on_exception = SpawnOptions::OnException::kEndsMessage});
  }

  void stop(const std::function<void()>& done) {
    if (!host) return done();
    host->shutdown({.terminate_within = node.config.get(attribute::kTerminateTimeout),
                    .max_in_flight = node.config.get(attribute::kTerminateConcurrency)},
                   [done](const HostDown&) { done(); });
  }

  bootstrap::Node& node;
  std::unique_ptr<Host> host;
};

}  // namespace

bootstrap::ChildHooks bootstrap::hooks_of_proc(Node& node) {
  const auto residence = std::make_shared<Residence>(node);
  return {.on_start = [residence](Node&, Proc& proc, const StartProc&) { return residence->start(proc); },
          .on_stop = [residence](const std::function<void()>& done) { residence->stop(done); }};
}

void bootstrap_if_child(ActorTable actors) {
  serve_forks_if_asked();
  if (!bootstrap::is_child()) return;
  bootstrap::run_child(std::move(actors), bootstrap::hooks_of_proc);
}

}  // namespace hostmesh
