// ProcCore: the actors and clients of one proc, by name.
//
// Shared by the Proc and whatever is under way in it. Thread-safe. A name keeps, within bounds, what became
// of those that had it, so that their ids are answered with the reason and never come to mean somebody else.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "hostmesh/actor/detail/cell.hpp"
#include "hostmesh/actor/detail/core.hpp"
#include "hostmesh/actor/detail/instance.hpp"

namespace hostmesh::detail {

struct ProcCore : std::enable_shared_from_this<ProcCore> {
  ProcCore(std::shared_ptr<SystemCore> in, ProcId as) : system(in), id(std::move(as)) {}

  Result<ActorId> spawn(std::string name, TypedActor actor, SpawnOptions options);
  Result<ActorId> spawn_child(const std::shared_ptr<Cell>& parent, TypedActor actor, SpawnOptions options);
  Result<std::shared_ptr<Instance>> add_instance(std::string name);
  void remove_instance(const Instance& instance);

  // Reactor thread only.
  void deliver(PortId dest, ActorId sender, Bytes payload, ReplyToken token);
  void deliver_undeliverable(const ActorId& to, const PortId& dest, const Error& why);

  std::shared_ptr<Cell> find(const ActorId& actor) const;
  std::vector<std::shared_ptr<Cell>> children_of(const Cell& parent) const;
  std::vector<std::shared_ptr<Cell>> roots() const;
  std::vector<std::shared_ptr<Cell>> cells() const;
  // From the cell itself, when it has ended.
  void forget(const Cell& cell, std::string why);
  void report_unhandled(SupervisionEvent event);
  void stop(std::vector<std::shared_ptr<Cell>> cells, Deadline deadline, std::function<void(Result<>)> done);
  void refuse_spawns();
  // No more spawns; ends the ports of clients.
  void close();
  // It was here once; forgotten some time after its end.
  bool has_ended(const ActorId& actor) const;
  // kActorGone, with what is known of it.
  Error gone_error(const ActorId& actor) const;

  const std::weak_ptr<SystemCore> system;
  const ProcId id;
  Proc* facade = nullptr;

  std::mutex listener_mutex;
  std::function<void(const SupervisionEvent&)> on_unhandled;

 private:
  struct Named {
    std::map<std::uint64_t, std::shared_ptr<Cell>> live;  // by pid
    std::uint64_t root = 0;                               // pid of the live root, if `has_root`
    bool has_root = false;
    std::uint64_t next_pid = 0;
    std::map<std::uint64_t, std::string> ended;  // pid -> why
    std::shared_ptr<Instance> instance;
    std::uint64_t idle_since = 0;
  };
  // Takes the actor only when it succeeds: destroying it is nothing to do under the lock.
  Result<ActorId> spawn_named(Named& named, const std::string& name, TypedActor&& actor,
                              SpawnOptions&& options, const std::shared_ptr<Cell>& parent);
  void maybe_idle(const std::string& name, Named& named);

  mutable std::mutex mutex_;
  std::map<std::string, Named, std::less<>> names_;
  // Names that nobody has now, the longest unused first; each with the stamp that makes the entry current.
  std::deque<std::pair<std::string, std::uint64_t>> idle_;
  std::uint64_t idle_stamp_ = 0;
  bool closed_ = false;
};

}  // namespace hostmesh::detail
