#include "hostmesh/actor/context.hpp"

#include "hostmesh/actor/detail/cell.hpp"
#include "hostmesh/actor/detail/proc_core.hpp"

namespace hostmesh {

const ActorId& Context::self() const {
  return cell_.id;
}

const ActorId& Context::sender() const {
  return cell_.sender;
}

Proc& Context::proc() {
  const auto core = cell_.proc.lock();
  HOSTMESH_ASSERT(core && core->facade != nullptr, "an actor outlived its proc");
  return *core->facade;
}

Reactor& Context::reactor() {
  HOSTMESH_ASSERT(cell_.where == Where::kReactor, "an actor on the worker threads asked for the reactor");
  const auto system = cell_.system.lock();
  HOSTMESH_ASSERT(system, "an actor outlived its system");
  return system->reactor;
}

std::function<void(std::function<void()>)> Context::in_turn() {
  return [weak = cell_.weak_from_this()](std::function<void()> work) {
    if (const auto cell = weak.lock()) {
      cell->push_work([work = std::move(work)](Actor&, Context&) { work(); }, false);
    }
  };
}

void Context::stop_self() {
  cell_.request_stop(nullptr);
}

void Context::send_bytes(PortId to, Bytes payload, SendClass send_class) {
  const auto system = cell_.system.lock();
  if (!system) return;
  system->run(detail::Post{Envelope{.kind = EnvelopeKind::kSend,
                                    .dest = std::move(to),
                                    .sender = cell_.id,
                                    .payload = std::move(payload)},
                           send_class});
}

void Context::post_self_bytes(std::uint64_t port, Bytes payload) {
  cell_.deliver(detail::Message{port, cell_.id, std::move(payload), {}});
}

void Context::call_bytes(PortId to, Bytes payload, SendClass send_class, Deadline deadline,
                         std::function<void(Result<Bytes>)> done) {
  const auto system = cell_.system.lock();
  if (!system) return;
  auto in_own_turn = [weak = cell_.weak_from_this(), done = std::move(done)](Result<Bytes> answer) {
    const auto cell = weak.lock();
    if (!cell) return;
    auto kept = std::make_shared<Result<Bytes>>(std::move(answer));
    cell->push_work([done, kept](Actor&, Context&) { done(std::move(*kept)); }, false);
  };
  system->run(detail::Call{std::move(to), cell_.id, std::move(payload), send_class, deadline,
                           std::move(in_own_turn)});
}

Result<ActorId> Context::spawn_child(detail::TypedActor actor, SpawnOptions options) {
  return cell_.spawn_child(std::move(actor), std::move(options));
}

PortId Context::open_raw_port(RawReceiver receiver, PortUse use) {
  return PortId{cell_.id, cell_.open_port(std::move(receiver), use == PortUse::kOnce)};
}

void Context::close_raw_port(const PortId& port) {
  if (port.actor == cell_.id) cell_.ports.erase(port.port);
}

}  // namespace hostmesh
