// Proc: a named place where actors live, in a process of its own or beside others in one.
//
// Owned by its ActorSystem. Thread-safe: actors are spawned from handlers on worker threads and from main
// alike.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/actor/actor.hpp"
#include "hostmesh/actor/detail/typed_actor.hpp"
#include "hostmesh/base/deadline.hpp"

namespace hostmesh {

namespace detail {
struct ProcCore;
}

enum class Where : std::uint8_t {
  kReactor,  // system actors: never block
  kWorkers,  // user actors: may block
};

struct SpawnOptions {
  Where where = Where::kWorkers;
  // Who hears of its end. Without one it is the parent for a child, and the proc's on_unhandled for a root.
  std::optional<PortRef<SupervisionEvent>> owner{};
  // What an exception out of the handler of a message ends: the actor, or only that message. Then it is the
  // answer of a call and goes to the log for a cast, and the actor lives on. For actors that serve many and
  // hold the state that is needed to end in order.
  enum class OnException : std::uint8_t { kEndsActor, kEndsMessage } on_exception = OnException::kEndsActor;
};

enum class ActorState : std::uint8_t { kRunning = 1, kStopping = 2, kStopped = 3, kFailed = 4 };
std::string_view to_string(ActorState state);

struct ActorInfo {
  ActorId id;
  std::string type;
  Where where = Where::kWorkers;
  ActorState state = ActorState::kRunning;
  std::size_t queued = 0;  // messages
};

class Proc {
 public:
  explicit Proc(std::shared_ptr<detail::ProcCore> core);
  ~Proc();
  Proc(const Proc&) = delete;
  Proc& operator=(const Proc&) = delete;

  const ProcId& id() const;

  // A root actor. It is addressable when this returns; init() runs in its first turn. A name in use is an
  // error; that of an actor that has ended may be used again, under a new pid.
  Result<ActorId> spawn(std::string name, detail::TypedActor actor, SpawnOptions options = {});
  template <class A>
  Result<ActorRef<A>> spawn(std::string name, std::unique_ptr<A> actor, SpawnOptions options = {}) {
    auto id = spawn(std::move(name), detail::typed_actor(std::move(actor)), std::move(options));
    if (!id) return id.error();
    return ActorRef<A>::attest(*std::move(id));
  }
  // From the system's ActorTable; `params` as actor_params() makes them.
  Result<ActorId> spawn_by_type(std::string_view type_name, std::string name, ByteView params,
                                SpawnOptions options = {});

  // What is queued is handled first; then its children stop, then it. `done` runs on the reactor: with an
  // error if the actor is not there, or had not stopped by the deadline (it goes on stopping). An actor that
  // failed counts as stopped.
  void stop_actor(const ActorId& actor, Deadline deadline, std::function<void(Result<>)> done);
  // The same for all, concurrently; the error names who had not stopped.
  void stop_all(Deadline deadline, std::function<void(Result<>)> done);

  // Those that have not ended, ordered by id.
  std::vector<ActorInfo> actors() const;

  // Hears of failures that had no owner to hear them, on the reactor; they are logged as errors in any case.
  void on_unhandled(std::function<void(const SupervisionEvent&)> listener);

  const std::shared_ptr<detail::ProcCore>& core() const { return core_; }

 private:
  std::shared_ptr<detail::ProcCore> core_;
};

}  // namespace hostmesh
