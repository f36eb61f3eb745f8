#include "hostmesh/bootstrap/node.hpp"

#include <utility>

#include "hostmesh/bootstrap/local_proc.hpp"

namespace hostmesh::bootstrap {

Node::Node(const Config& its_config, ActorTable actors)
    : own_engine_(std::make_unique<Engine>()),
      engine(*own_engine_),
      reactor(engine.reactor),
      config(its_config),
      system(reactor, config, std::move(actors)),
      gate(reactor, config, system) {}

Node::Node(Node& home, const Config& its_config)
    : engine(home.engine),
      reactor(engine.reactor),
      config(its_config),
      system(reactor, config, home.system),
      gate(reactor, config, system) {}

Node::~Node() {
  if (!own_engine_) return;
  system.close();  // the worker threads have ended now, or are stuck
  LocalProc::drop_all(engine);
}

}  // namespace hostmesh::bootstrap
