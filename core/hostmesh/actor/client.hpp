// Client: how code outside actors, such as main, talks to actors: it sends, calls and receives as an actor of
// its own.
//
// Thread-safe. Blocking calls end by their deadline and throw hostmesh::Error; on the reactor thread, where
// they could only deadlock, they throw at once. The proc must outlive it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "hostmesh/actor/proc.hpp"
#include "hostmesh/actor/ref.hpp"
#include "hostmesh/actor/reply.hpp"

namespace hostmesh {

namespace detail {

struct Instance;

// Owns an open port; closes it when destroyed.
class OpenPort {
 public:
  OpenPort() = default;
  OpenPort(std::weak_ptr<Instance> instance, std::uint64_t port)
      : instance_(std::move(instance)), port_(port) {}
  OpenPort(OpenPort&& other) noexcept : instance_(std::move(other.instance_)), port_(other.port_) {
    other.instance_.reset();
  }
  OpenPort& operator=(OpenPort&& other) noexcept;
  ~OpenPort() { close(); }
  void close();

 private:
  std::weak_ptr<Instance> instance_;
  std::uint64_t port_ = 0;
};

enum class PortKind : std::uint8_t { kMany, kOnce, kLatest };

// What a port received and nobody took yet: payloads, decoded by the taker.
class PortQueue {
 public:
  explicit PortQueue(PortKind kind) : kind_(kind) {}
  void push(Bytes payload);
  void end(Error why);  // no more will come
  Result<Bytes> pop(Deadline deadline);
  std::optional<Bytes> try_pop();

 private:
  const PortKind kind_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Bytes> payloads_;
  std::optional<Error> end_;
};

}  // namespace detail

// Keeps a handler port open. Closed on the reactor thread, the handler will not run any more; closed
// elsewhere, it may be running just now.
using PortHandle = detail::OpenPort;

// The receiving end of a port. Dropping it closes the port; what comes later is counted and dropped.
template <class T>
class PortReceiver {
 public:
  PortReceiver(std::shared_ptr<detail::PortQueue> queue, detail::OpenPort port,
               std::function<bool()> on_reactor)
      : queue_(std::move(queue)), port_(std::move(port)), on_reactor_(std::move(on_reactor)) {}

  // Waits for a value; kTimeout after the deadline, kCancelled when none can come any more. On the reactor
  // thread: kInternal.
  Result<T> receive(Deadline deadline) {
    if (on_reactor_())
      return Error(Cause::kInternal, "receive() blocks and was called on the reactor thread");
    Result<Bytes> payload = queue_->pop(deadline);
    if (!payload) return std::move(payload).error();
    return wire::decode<T>(*payload);
  }
  // Nothing when there is nothing, or what came was not a T.
  std::optional<T> try_receive() {
    const std::optional<Bytes> payload = queue_->try_pop();
    if (!payload) return std::nullopt;
    Result<T> value = wire::decode<T>(*payload);
    return value ? std::optional<T>(*std::move(value)) : std::nullopt;
  }

 private:
  std::shared_ptr<detail::PortQueue> queue_;
  detail::OpenPort port_;
  std::function<bool()> on_reactor_;
};

class Client {
 public:
  // `name` must be free in the proc; throws Error otherwise.
  Client(Proc& proc, std::string name);
  // Closes its ports. Calls under way complete all the same.
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const ActorId& id() const;
  Proc& proc() const;
  // Whether this is the thread on which nothing may block.
  bool on_reactor() const { return reactor_question()(); }

  // Never blocks. What cannot be delivered is logged at level debug.
  template <class A, class M>
  void send(const ActorRef<A>& to, const M& message) {
    static_assert(HandledBy<A, M>, "the actor's Handles does not list this message");
    send_bytes(PortId{to.id(), wire::message_port<M>()}, wire::encode(message), send_class_of<M>());
  }
  template <class T>
  void send(const PortRef<T>& to, const T& message) {
    send_bytes(to.id(), wire::encode(message), send_class_of<T>());
  }

  // Blocks. Throws Error.
  template <class A, class M>
  typename M::Reply call(const ActorRef<A>& to, const M& message, Deadline deadline) {
    return value_or_throw(try_call(to, message, deadline));
  }
  // Blocks.
  template <class A, class M>
  Result<typename M::Reply> try_call(const ActorRef<A>& to, const M& message, Deadline deadline) {
    static_assert(HandledBy<A, M>, "the actor's Handles does not list this message");
    return detail::decode_reply<typename M::Reply>(call_bytes(
        PortId{to.id(), wire::message_port<M>()}, wire::encode(message), send_class_of<M>(), deadline));
  }
  // `done` runs on the reactor, once, never inside this call.
  template <class A, class M>
  void call_async(const ActorRef<A>& to, const M& message, Deadline deadline,
                  std::function<void(Result<typename M::Reply>)> done) {
    static_assert(HandledBy<A, M>, "the actor's Handles does not list this message");
    call_bytes_async(PortId{to.id(), wire::message_port<M>()}, wire::encode(message), send_class_of<M>(),
                     deadline, [done = std::move(done)](Result<Bytes> payload) {
                       done(detail::decode_reply<typename M::Reply>(std::move(payload)));
                     });
  }

  template <class T>
  std::pair<PortRef<T>, PortReceiver<T>> open_port() {
    return open_queue<T>(detail::PortKind::kMany);
  }
  // Takes one value.
  template <class T>
  std::pair<PortRef<T>, PortReceiver<T>> open_once_port() {
    return open_queue<T>(detail::PortKind::kOnce);
  }
  // A newer value replaces one that was not received yet.
  template <class T>
  std::pair<PortRef<T>, PortReceiver<T>> open_latest_port() {
    return open_queue<T>(detail::PortKind::kLatest);
  }
  // `on_value` runs on the reactor.
  template <class T>
  std::pair<PortRef<T>, PortHandle> open_handler_port(std::function<void(T)> on_value) {
    auto [id, handle] = open_sink([on_value = std::move(on_value)](ByteView payload) -> Result<> {
      auto value = wire::decode<T>(payload);
      if (!value) return value.error();
      on_value(*std::move(value));
      return {};
    });
    return {PortRef<T>::attest(std::move(id)), std::move(handle)};
  }

 private:
  template <class T>
  std::pair<PortRef<T>, PortReceiver<T>> open_queue(detail::PortKind kind) {
    auto queue = std::make_shared<detail::PortQueue>(kind);
    auto [id, handle] = open_queue_port(queue, kind);
    return {PortRef<T>::attest(std::move(id)),
            PortReceiver<T>(std::move(queue), std::move(handle), reactor_question())};
  }

  void send_bytes(PortId to, Bytes payload, SendClass send_class);
  Result<Bytes> call_bytes(PortId to, Bytes payload, SendClass send_class, Deadline deadline);
  void call_bytes_async(PortId to, Bytes payload, SendClass send_class, Deadline deadline,
                        std::function<void(Result<Bytes>)> done);
  std::pair<PortId, detail::OpenPort> open_queue_port(std::shared_ptr<detail::PortQueue> queue,
                                                      detail::PortKind kind);
  std::pair<PortId, detail::OpenPort> open_sink(std::function<Result<>(ByteView)> sink);
  std::function<bool()> reactor_question() const;

  Proc& proc_;
  std::shared_ptr<detail::Instance> instance_;
};

}  // namespace hostmesh
