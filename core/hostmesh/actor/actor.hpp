// Actor: the base of everything that receives messages, one at a time.
//
// Owned by its proc. Everything here, the destructor included, runs in the actor's turns: never two at once,
// on the reactor or on a worker thread as its owner chose. An exception out of any of them fails this actor
// and nobody else.
//
// A class derived from it lists what it handles and has one handler for each:
//
//   using Handles = Messages<Increment, Read, Wait>;
//   void handle(Context&, const Increment&);
//   std::int64_t handle(Context&, const Read&);               // Read has `using Reply = std::int64_t;`
//   Result<std::int64_t> handle(Context&, const TryRead&);    // an Error goes to the caller; the actor is
//   well void handle(Context&, const Wait&, Reply<std::int64_t>);  // answers later
#pragma once

#include <cstdint>
#include <string>

#include "hostmesh/actor/envelope.hpp"
#include "hostmesh/actor/ids.hpp"
#include "hostmesh/actor/ref.hpp"
#include "hostmesh/actor/reply.hpp"

namespace hostmesh {

class Context;

// What an owner hears, once, when an actor of his has ended.
struct SupervisionEvent {
  enum class Kind : std::uint8_t {
    kFailed = 1,
    kStopped = 2,
  };
  static constexpr std::string_view kMessage = "supervision_event";

  ActorId actor;
  std::string display;  // for people: what it was
  Kind kind = Kind::kFailed;
  std::string text;  // why
};

class Actor {
 public:
  Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  virtual ~Actor() = default;

  // Before the first message.
  virtual void init(Context& context);
  // A child of this one has ended. By default the failure of a child is thrown, so that it fails this actor
  // too.
  virtual void handle_supervision(Context& context, const SupervisionEvent& event);
  // What this actor sent did not arrive. By default it is logged at level debug.
  virtual void undeliverable(Context& context, const Undeliverable& message);
  // The last turn of an actor that was stopped rather than failed; its children have ended, sending still
  // works.
  virtual void stopping(Context& context);
};

}  // namespace hostmesh
