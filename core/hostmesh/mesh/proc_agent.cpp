#include "hostmesh/mesh/proc_agent.hpp"

#include "hostmesh/actor/proc.hpp"

namespace hostmesh {

void ProcAgent::handle(Context& context, const SpawnActor& request, Reply<ActorId> reply) {
  std::optional<Result<ActorId>> made = built_in_ ? built_in_(context.proc(), request) : std::nullopt;
  if (!made) {
    made = context.proc().spawn_by_type(request.type, request.name, request.params,
                                        {.where = Where::kWorkers, .owner = request.owner});
  }
  if (*made) {
    reply(**made);
  } else {
    reply.fail(made->error());
  }
}

void ProcAgent::handle(Context& context, const StopActor& request, Reply<void> reply) {
  auto kept = std::make_shared<Reply<void>>(std::move(reply));
  context.proc().stop_actor(request.actor, Deadline::after(request.within), [kept](const Result<>& stopped) {
    if (stopped) {
      (*kept)();
    } else {
      kept->fail(stopped.error());
    }
  });
}

std::map<std::string, std::string> ProcAgent::handle(Context&, const GetConfig&) {
  return config_.propagated();
}

}  // namespace hostmesh
