// Context: what an actor can do. One per actor, living as long as the actor does, so that a continuation may
// capture it by reference.
//
// To be used in the actor's turns only; in_turn() is the way in from elsewhere.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "hostmesh/actor/actor.hpp"
#include "hostmesh/actor/proc.hpp"
#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

namespace detail {
struct Cell;
}

class Context {
 public:
  explicit Context(detail::Cell& cell) : cell_(cell) {}
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  const ActorId& self() const;
  // Of the message that is being handled; nobody outside a handler.
  const ActorId& sender() const;
  // Valid as long as the actor is.
  Proc& proc();
  // The reactor on which this actor runs. A bug for an actor on the workers.
  Reactor& reactor();

  template <class A, class M>
  void send(const ActorRef<A>& to, const M& message) {
    static_assert(HandledBy<A, M>, "the actor's Handles does not list this message");
    send_bytes(PortId{to.id(), wire::message_port<M>()}, wire::encode(message), send_class_of<M>());
  }
  template <class T>
  void send(const PortRef<T>& to, const T& message) {
    send_bytes(to.id(), wire::encode(message), send_class_of<T>());
  }
  // To this actor, behind what is queued.
  template <class M>
  void post_self(const M& message) {
    post_self_bytes(wire::message_port<M>(), wire::encode(message));
  }

  // `done` runs in a turn of this actor, once, never inside this call; not at all when this actor has ended
  // before.
  template <class A, class M>
  void call(const ActorRef<A>& to, const M& message, Deadline deadline,
            std::function<void(Result<typename M::Reply>)> done) {
    static_assert(HandledBy<A, M>, "the actor's Handles does not list this message");
    call_bytes(PortId{to.id(), wire::message_port<M>()}, wire::encode(message), send_class_of<M>(), deadline,
               [done = std::move(done)](Result<Bytes> payload) {
                 done(detail::decode_reply<typename M::Reply>(std::move(payload)));
               });
  }

  // A child: it has this actor's name and a pid of its own, stops with it, and its end goes to
  // handle_supervision() unless the options name another owner.
  template <class A>
  Result<ActorRef<A>> spawn(std::unique_ptr<A> actor, SpawnOptions options = {}) {
    auto id = spawn_child(detail::typed_actor(std::move(actor)), std::move(options));
    if (!id) return id.error();
    return ActorRef<A>::attest(*std::move(id));
  }

  // `on_value` runs in turns of this actor, until close_port() or the actor's end.
  template <class T>
  PortRef<T> open_port(std::function<void(T)> on_value) {
    return PortRef<T>::attest(open_raw_port(receiver<T>(std::move(on_value)), PortUse::kMany));
  }
  // Closes itself with the first value.
  template <class T>
  PortRef<T> open_once_port(std::function<void(T)> on_value) {
    return PortRef<T>::attest(open_raw_port(receiver<T>(std::move(on_value)), PortUse::kOnce));
  }
  template <class T>
  void close_port(const PortRef<T>& port) {
    close_raw_port(port.id());
  }

  // A door for callbacks of timers, threads and libraries: what it is given runs in a turn of this actor, or
  // is dropped when the actor has ended. May be called and copied by any thread, at any time.
  std::function<void(std::function<void()>)> in_turn();

  // Once the current turn and what is queued is done, as Proc::stop_actor() would.
  void stop_self();

 private:
  enum class PortUse : std::uint8_t { kMany, kOnce };
  using RawReceiver = std::function<Result<>(ByteView)>;

  template <class T>
  static RawReceiver receiver(std::function<void(T)> on_value) {
    return [on_value = std::move(on_value)](ByteView payload) -> Result<> {
      auto value = wire::decode<T>(payload);
      if (!value) return value.error();
      on_value(*std::move(value));
      return {};
    };
  }

  void send_bytes(PortId to, Bytes payload, SendClass send_class);
  void post_self_bytes(std::uint64_t port, Bytes payload);
  void call_bytes(PortId to, Bytes payload, SendClass send_class, Deadline deadline,
                  std::function<void(Result<Bytes>)> done);
  Result<ActorId> spawn_child(detail::TypedActor actor, SpawnOptions options);
  PortId open_raw_port(RawReceiver receiver, PortUse use);
  void close_raw_port(const PortId& port);

  detail::Cell& cell_;
};

}  // namespace hostmesh
