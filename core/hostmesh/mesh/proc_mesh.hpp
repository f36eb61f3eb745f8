// ProcMesh: procs on the hosts of a mesh, one rank each. A handle: it stays valid to ask, whatever has died
// behind it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "hostmesh/actor/client.hpp"
#include "hostmesh/actor/table.hpp"
#include "hostmesh/mesh/actor_mesh.hpp"
#include "hostmesh/mesh/messages.hpp"
#include "hostmesh/shape/status.hpp"

namespace hostmesh {

// Any thread but the reactor's for what waits. Copies are the same mesh. It does not keep its HostMesh alive:
// after that is gone its procs are, too, and calls say so.
class ProcMesh {
 public:
  struct Impl;
  explicit ProcMesh(std::shared_ptr<Impl> impl);

  const std::string& name() const;  // unique
  const Extent& extent() const;     // the hosts' followed by the per-host one
  ProcId proc_id(Rank rank) const;
  // As last heard; complete, in rank order.
  StatusMesh statuses() const;
  // The same with pid and reason.
  std::vector<ProcChange> procs() const;

  // Puts an actor of the registered type on every proc, `name` once on each. Arguments are converted to
  // A::Parameters where A declares one (`using Parameters = std::tuple<...>`), else they travel as they are.
  // Throws Error, which names the ranks where it failed; on those where it did not, the actor is stopped
  // again.
  template <class A, class... Args>
  ActorMesh<A> spawn(const std::string& type, const Args&... args) {
    return spawn_named<A>(type, type, args...);
  }
  template <class A, class... Args>
  ActorMesh<A> spawn_named(const std::string& type, const std::string& name, const Args&... args) {
    Bytes params;
    if constexpr (requires { typename A::Parameters; }) {
      params = wire::encode(typename A::Parameters(args...));
    } else {
      params = wire::encode(std::tuple<Args...>(args...));
    }
    return ActorMesh<A>(client(), extent(), spawn_actors(type, name, std::move(params)), call_timeout());
  }

  // Stops the procs and waits until they are gone, then says how each ended. Idempotent. Throws Error when a
  // host did not answer in time.
  std::vector<ProcChange> stop(std::optional<Duration> grace = std::nullopt);

  // Sends a signal to each proc that runs, and to its whole process group; a command that forks passes
  // nothing on. Any thread, the reactor's too: it does not wait, and what is asked of the hosts later, such
  // as stop(), comes after it. A proc that is still being started, or has ended, does not get the signal. A
  // proc that takes actors is signalled like a command: unless its program handles the signal, it does what
  // the signal does to any program. Procs inside this process take TERM, INT and HUP (they stop in order) and
  // KILL, and ignore others. A host that may not signal a proc logs a warning. Throws Error
  // (kInvalidArgument) when there is no such signal; a host that is gone is passed over.
  void signal(int number);

  // The receiver of output calls this as it takes it; commands are held back while too much is not taken.
  void output_taken(Rank rank, std::uint64_t bytes);

 private:
  Client& client() const;
  Duration call_timeout() const;
  std::vector<ActorId> spawn_actors(const std::string& type, const std::string& name, Bytes params);

  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh
