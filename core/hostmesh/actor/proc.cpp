#include "hostmesh/actor/proc.hpp"

#include <algorithm>

#include "hostmesh/actor/detail/proc_core.hpp"

namespace hostmesh {

std::string_view to_string(ActorState state) {
  switch (state) {
    case ActorState::kRunning:
      return "running";
    case ActorState::kStopping:
      return "stopping";
    case ActorState::kStopped:
      return "stopped";
    case ActorState::kFailed:
      return "failed";
  }
  return "unknown";
}

Proc::Proc(std::shared_ptr<detail::ProcCore> core) : core_(std::move(core)) {
  core_->facade = this;
}

Proc::~Proc() {
  core_->close();
}

const ProcId& Proc::id() const {
  return core_->id;
}

Result<ActorId> Proc::spawn(std::string name, detail::TypedActor actor, SpawnOptions options) {
  return core_->spawn(std::move(name), std::move(actor), std::move(options));
}

Result<ActorId> Proc::spawn_by_type(std::string_view type_name, std::string name, ByteView params,
                                    SpawnOptions options) {
  const auto system = core_->system.lock();
  if (!system) return Error(Cause::kCancelled, "proc " + core_->id.text() + " has ended");
  auto actor = system->table->make(type_name, params);
  if (!actor) return actor.error().with_host(core_->id.text()).with_phase("spawn");
  return core_->spawn(std::move(name), *std::move(actor), std::move(options));
}

void Proc::stop_actor(const ActorId& actor, Deadline deadline, std::function<void(Result<>)> done) {
  if (auto cell = core_->find(actor)) return core_->stop({std::move(cell)}, deadline, std::move(done));
  const auto system = core_->system.lock();
  if (!system) return;
  Error gone = core_->gone_error(actor);
  // One that has ended is as stopped as can be; one that never was is a mistake of the caller.
  const bool was_here = core_->has_ended(actor);
  system->defer([done = std::move(done), gone = std::move(gone), was_here] {
    done(was_here ? Result<>() : Result<>(gone));
  });
}

void Proc::stop_all(Deadline deadline, std::function<void(Result<>)> done) {
  core_->stop(core_->roots(), deadline, std::move(done));
}

std::vector<ActorInfo> Proc::actors() const {
  std::vector<ActorInfo> infos;
  for (const auto& cell : core_->cells()) {
    const ActorState state = cell->state();
    if (state == ActorState::kStopped || state == ActorState::kFailed) continue;
    infos.push_back(ActorInfo{cell->id, std::string(cell->type->name), cell->where, state, cell->queued()});
  }
  std::sort(infos.begin(), infos.end(), [](const ActorInfo& a, const ActorInfo& b) { return a.id < b.id; });
  return infos;
}

void Proc::on_unhandled(std::function<void(const SupervisionEvent&)> listener) {
  const std::lock_guard lock(core_->listener_mutex);
  core_->on_unhandled = std::move(listener);
}

}  // namespace hostmesh
