// ActorSystem: all that actors need in one Runtime: procs, the router between them and to others, worker
// threads, and the table of what may be spawned by name.
//
// Many can live in one process, and many procs in one of them. Destroy it when its reactor no longer runs, or
// on the reactor thread.
#pragma once

#include <functional>
#include <memory>

#include "hostmesh/actor/ids.hpp"
#include "hostmesh/actor/router.hpp"
#include "hostmesh/actor/table.hpp"
#include "hostmesh/actor/worker_pool.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

class Proc;

class ActorSystem {
 public:
  // The reactor must outlive it; `config` is read now. No thread is started.
  ActorSystem(Reactor& reactor, const Config& config, ActorTable table);
  // In the process of `home`: with its table, and on its worker threads.
  ActorSystem(Reactor& reactor, const Config& config, const ActorSystem& home);
  // Whatever still runs is dropped: calls under way end with kCancelled, blocked receivers too. On borrowed
  // worker threads nothing may run any more; see close().
  ~ActorSystem();
  ActorSystem(const ActorSystem&) = delete;
  ActorSystem& operator=(const ActorSystem&) = delete;

  Reactor& reactor();
  Router& router();
  WorkerPool& workers();
  const ActorTable& table() const;

  // Any thread. A second proc of the same id is a bug. The proc lives until it is removed.
  Proc& add_proc(ProcId id);
  // Any thread. Null when there is none.
  Proc* find_proc(const ProcId& id);
  // Any thread. Stops all its actors, then forgets it; `done` runs on the reactor, with an error naming who
  // had not stopped by the deadline. The Proc is gone when `done` runs.
  void remove_proc(const ProcId& id, Deadline deadline, std::function<void(Result<>)> done);

  // Ends everything but what user actors are doing at this moment, which is waited for only on threads of our
  // own: calls under way end with `why`, or with kCancelled, blocked receivers too, and nothing new begins.
  // Idempotent.
  void close();
  void close(const Error& why);

  struct Impl;

 private:
  std::shared_ptr<detail::SystemCore> core_;
};

}  // namespace hostmesh
