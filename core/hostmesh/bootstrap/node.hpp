// Node: what every process of a mesh is made of, the client as well as each child.
//
// One reactor and what lives on it. The client runs the reactor on a thread of its own (Runtime), a child on its main
// thread. Several Nodes may live in one process; nothing here is global to the process.
#pragma once

#include <memory>
#include <optional>

#include "hostmesh/actor/system.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/bootstrap/gate.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/launch_thread.hpp"

namespace hostmesh::bootstrap {

struct Node {
  Node(const Config& its_config, ActorTable actors)
      : config(its_config), system(reactor, config, std::move(actors)), gate(reactor, config, system) {}

  Reactor reactor;
  Config config;
  ActorSystem system;
  std::shared_ptr<ChildRegistry> registry = std::make_shared<ChildRegistry>();
  LaunchThread launch_thread;
  std::optional<std::uint64_t> usual_nofile;  // what children get back when we raised our own limit
  Gate gate;
};

}  // namespace hostmesh::bootstrap
