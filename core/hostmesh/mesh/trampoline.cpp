#include "hostmesh/mesh/trampoline.hpp"

namespace hostmesh {

Result<ActorId> Trampoline::spawn(Proc& proc, const SpawnActor& request, bootstrap::Node& node,
                                  std::unique_ptr<Host>& host) {
  auto params = wire::decode<Params>(request.params);
  if (!params) return params.error();
  if (host) {
    return Error(Cause::kInvalidArgument, "the process is a host already, at " + host->ref().addr().text());
  }
  auto made = Host::make(node, params->addr);
  if (!made) return made.error();
  host = *std::move(made);
  auto actor = proc.spawn(request.name, std::make_unique<Trampoline>(*std::move(params)),
                          {.where = Where::kReactor, .owner = request.owner});
  if (!actor) return actor.error();
  return actor->id();
}

void Trampoline::init(Context& context) {
  context.send(params_.answer, HostReady{.rank = params_.rank, .agent = HostRef(params_.addr).agent().id()});
}

}  // namespace hostmesh
