// The actors of the payload when it is a child of a mesh, and of the suite, whose procs may live in its own
// process.
#pragma once

#include "hostmesh/actor/actor.hpp"
#include "hostmesh/actor/context.hpp"
#include "hostmesh/actor/table.hpp"

namespace hostmesh::payload {

struct Meeting {
  ActorId from;
  ActorId to;
};
// Go there, and let who is there say so to `home`.
struct Visit {
  ActorId to;
  PortRef<Meeting> home;
};
struct Arrival {
  ActorId from;
  PortRef<Meeting> home;
};

class Visitor : public Actor {
 public:
  using Handles = Messages<Visit, Arrival>;

  void handle(Context& context, const Visit& visit) {
    context.send(ActorRef<Visitor>::attest(visit.to), Arrival{.from = context.self(), .home = visit.home});
  }
  void handle(Context& context, const Arrival& arrival) {
    context.send(arrival.home, Meeting{.from = arrival.from, .to = context.self()});
  }
};

inline ActorTable actors() {
  ActorTable table;
  table.add<Visitor>("visitor");
  return table;
}

}  // namespace hostmesh::payload
