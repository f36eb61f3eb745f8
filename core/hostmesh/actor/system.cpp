#include "hostmesh/actor/system.hpp"

#include <algorithm>

#include "hostmesh/actor/detail/proc_core.hpp"
#include "hostmesh/actor/detail/router_impl.hpp"

namespace hostmesh {

namespace detail {

namespace {

std::uint8_t ttl_of(const Config& config) {
  return static_cast<std::uint8_t>(std::min<std::uint64_t>(config.get(attribute::kMessageTtl), 255));
}

}  // namespace

SystemCore::SystemCore(Reactor& on, const Config& config, ActorTable actors)
    : reactor(on),
      ttl(ttl_of(config)),
      table(std::make_shared<const ActorTable>(std::move(actors))),
      workers(config.get(attribute::kWorkerThreads)),
      router(*this) {}

SystemCore::SystemCore(Reactor& on, const Config& config, const SystemCore& home)
    : reactor(on),
      ttl(ttl_of(config)),
      table(home.table),
      workers(WorkerPool::Borrow{home.workers}),
      router(*this) {}

SystemCore::~SystemCore() = default;

void SystemCore::run(Errand errand) {
  bool on_reactor = false;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      on_reactor = reactor.on_thread();
      if (!on_reactor) {
        errands_.push_back(std::move(errand));
        if (!std::exchange(drain_posted_, true)) {
          reactor.post([weak = weak_from_this()] {
            if (const auto self = weak.lock()) self->drain();
          });
        }
        return;
      }
    }
  }
  if (!on_reactor) {
    if (auto* call = std::get_if<Call>(&errand))
      call->done(Error(Cause::kCancelled, "the actor system has ended"));
    return;
  }
  drain();
  perform(std::move(errand));
}

void SystemCore::defer(std::function<void()> work) {
  const std::lock_guard lock(mutex_);
  if (!closed_) reactor.post(std::move(work));
}

void SystemCore::drain() {
  // From within an errand: what came since must not overtake those that are still to be done.
  if (draining_) return;
  draining_ = true;
  std::vector<Errand> errands;
  {
    const std::lock_guard lock(mutex_);
    drain_posted_ = false;
    errands.swap(errands_);
  }
  for (Errand& errand : errands) perform(std::move(errand));
  draining_ = false;
}

void SystemCore::perform(Errand errand) {
  if (auto* post = std::get_if<Post>(&errand)) {
    router.post(std::move(post->envelope), post->send_class);
  } else if (auto* call = std::get_if<Call>(&errand)) {
    router.call(std::move(call->dest), std::move(call->sender), std::move(call->payload), call->send_class,
                call->deadline, std::move(call->done));
  } else if (auto* answer = std::get_if<Answer>(&errand)) {
    router.impl().answer(answer->origin, answer->kind, std::move(answer->payload));
  } else {
    std::get<std::function<void()>>(errand)();
  }
}

void SystemCore::close(const Error& ended) {
  std::vector<Errand> errands;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(closed_, true)) return;
    errands.swap(errands_);
  }
  for (Errand& errand : errands) {
    if (auto* call = std::get_if<Call>(&errand)) call->done(ended);
  }
  errands.clear();
  router.impl().shut_down(ended);
  {
    const std::lock_guard lock(procs_mutex);
    closed_procs_.swap(procs);
  }
  // Wakes whoever waits at a port of a client.
  for (const auto& [id, proc] : closed_procs_) proc->core()->close();
  workers.stop();
  for (const auto& [id, proc] : closed_procs_) {
    for (const auto& cell : proc->core()->cells()) {
      if (cell->where == Where::kReactor) cell->shut_down();
    }
  }
}

void SystemCore::drop_procs() {
  for (const auto& [id, proc] : closed_procs_) {
    for (const auto& cell : proc->core()->cells()) cell->shut_down();
  }
  closed_procs_.clear();
}

std::shared_ptr<ProcCore> SystemCore::find_proc(const ProcId& id) const {
  const std::lock_guard lock(procs_mutex);
  const auto found = procs.find(id);
  return found == procs.end() ? nullptr : found->second->core();
}

void SystemCore::report_undeliverable(const ActorId& sender, const PortId& dest, const Error& why) {
  ++undeliverable;
  if (!sender.valid()) return;
  if (const auto home = find_proc(sender.proc)) return home->deliver_undeliverable(sender, dest, why);
  router.post(Envelope{.kind = EnvelopeKind::kUndeliverable,
                       .dest = PortId{sender, 0},
                       .sender = {},
                       .payload = wire::encode(Undeliverable{dest, why.info()})},
              SendClass::kControl);
}

}  // namespace detail

ActorSystem::ActorSystem(Reactor& reactor, const Config& config, ActorTable table)
    : core_(std::make_shared<detail::SystemCore>(reactor, config, std::move(table))) {}

ActorSystem::ActorSystem(Reactor& reactor, const Config& config, const ActorSystem& home)
    : core_(std::make_shared<detail::SystemCore>(reactor, config, *home.core_)) {}

ActorSystem::~ActorSystem() {
  close();
  core_->drop_procs();
}

void ActorSystem::close() {
  close(Error(Cause::kCancelled, "the actor system has ended"));
}
void ActorSystem::close(const Error& why) {
  core_->close(why);
}

Reactor& ActorSystem::reactor() {
  return core_->reactor;
}
Router& ActorSystem::router() {
  return core_->router;
}
WorkerPool& ActorSystem::workers() {
  return core_->workers;
}
const ActorTable& ActorSystem::table() const {
  return *core_->table;
}

Proc& ActorSystem::add_proc(ProcId id) {
  HOSTMESH_ASSERT(id.valid(), "a proc needs an id");
  const std::lock_guard lock(core_->procs_mutex);
  auto& place = core_->procs[id];
  HOSTMESH_ASSERT(place == nullptr, "two procs of one id in an actor system");
  place = std::make_unique<Proc>(std::make_shared<detail::ProcCore>(core_, std::move(id)));
  return *place;
}

Proc* ActorSystem::find_proc(const ProcId& id) {
  const std::lock_guard lock(core_->procs_mutex);
  const auto found = core_->procs.find(id);
  return found == core_->procs.end() ? nullptr : found->second.get();
}

void ActorSystem::remove_proc(const ProcId& id, Deadline deadline, std::function<void(Result<>)> done) {
  const auto proc = core_->find_proc(id);
  if (!proc) {
    core_->defer([id, done = std::move(done)] {
      done(Error(Cause::kInvalidArgument, "there is no proc " + id.text() + " here"));
    });
    return;
  }
  proc->refuse_spawns();
  proc->stop(proc->roots(), deadline,
             [weak = std::weak_ptr(core_), id, done = std::move(done)](Result<> result) {
               std::unique_ptr<Proc> removed;
               if (const auto core = weak.lock()) {
                 const std::lock_guard lock(core->procs_mutex);
                 const auto found = core->procs.find(id);
                 if (found != core->procs.end()) {
                   removed = std::move(found->second);
                   core->procs.erase(found);
                 }
               }
               removed.reset();
               done(std::move(result));
             });
}

}  // namespace hostmesh
