// Node: what every proc of a mesh is made of, the client as well as each child. Engine: what the Nodes of one
// process run on.
//
// The client runs the reactor on a thread of its own (Runtime), a child on its main thread. A Node has an
// engine of its own, or lives inside another one's process and shares that one's: then a proc costs a router,
// a gate and a few tables, and no thread or descriptor. Several engines may live in one process; nothing here
// is global to the process.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "hostmesh/actor/system.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/bootstrap/gate.hpp"
#include "hostmesh/bootstrap/orphans.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/launch_thread.hpp"

namespace hostmesh::bootstrap {

class LocalProc;

struct Engine {
  Reactor reactor;
  std::shared_ptr<ChildRegistry> registry = std::make_shared<ChildRegistry>();
  Orphans orphans{reactor, registry};
  LaunchThread launch_thread;
  std::optional<std::uint64_t> usual_nofile;  // what children get back when we raised our own limit
  // The procs that live inside this process, each until nothing of it runs any more. Reactor thread only.
  std::set<std::shared_ptr<LocalProc>> local_procs;
  // Those that have gone, until none of their calls is under way any more.
  std::vector<std::shared_ptr<LocalProc>> departed;
  // Those that are on their way to their owners, and those that wait for their turn: thousands of
  // handshakes side by side on one thread would all be late.
  std::size_t local_dials = 0;
  std::deque<std::weak_ptr<LocalProc>> waiting_to_dial;
};

struct Node {
  // With an engine of its own. Destroyed when the reactor no longer runs.
  Node(const Config& its_config, ActorTable actors);
  // Inside the process of `home`, which may end first as long as its engine stays. Reactor thread only, the
  // destruction included.
  Node(Node& home, const Config& its_config);
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // How those that this process starts reach this Node.
  Transport own_transport() const { return own_engine_ ? Transport::kUnix : Transport::kLocal; }
  bool is_inside_another() const { return !own_engine_; }

 private:
  const std::unique_ptr<Engine> own_engine_;

 public:
  Engine& engine;
  Reactor& reactor;
  Config config;
  ActorSystem system;
  Gate gate;
  // The mark of what is started here, by which it is known when it has become an orphan; see kEnvAllocation.
  std::string mark;
  bool started_processes = false;  // of its own, which may have left orphans
  // What must live on until its own end, whoever has let go of it: allocations that still have children, by
  // name. Emptied on the reactor before the reactor ends.
  std::map<std::string, std::shared_ptr<void>> residents;
};

}  // namespace hostmesh::bootstrap
