// Node: what every process of a mesh is made of, the client as well as each child.
//
// One reactor and what lives on it. The client runs the reactor on a thread of its own (Runtime), a child on
// its main thread. Several Nodes may live in one process; nothing here is global to the process.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "hostmesh/actor/system.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/bootstrap/gate.hpp"
#include "hostmesh/bootstrap/orphans.hpp"
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
  Orphans orphans{reactor, registry};
  LaunchThread launch_thread;
  std::optional<std::uint64_t> usual_nofile;  // what children get back when we raised our own limit
  Gate gate;
  // What must live on until its own end, whoever has let go of it: allocations that still have children, by
  // name. Emptied on the reactor before the reactor ends.
  std::map<std::string, std::shared_ptr<void>> residents;
};

}  // namespace hostmesh::bootstrap
