#include "hostmesh/actor/actor.hpp"

#include "hostmesh/actor/context.hpp"
#include "hostmesh/base/log.hpp"

namespace hostmesh {

void Actor::init(Context&) {}

void Actor::handle_supervision(Context&, const SupervisionEvent& event) {
  if (event.kind == SupervisionEvent::Kind::kStopped) return;
  throw Error(Cause::kActorGone, "its child " + event.display + " failed: " + event.text);
}

void Actor::undeliverable(Context& context, const Undeliverable& message) {
  if (!log::enabled(log::Level::kDebug)) return;
  log::debug("message not delivered " + log::field("from", context.self().text()) + " " +
             log::field("to", message.dest.text()) + " " + log::field("why", Error(message.why).text()));
}

void Actor::stopping(Context&) {}

}  // namespace hostmesh
