#include "hostmesh/actor/client.hpp"

#include "hostmesh/actor/detail/proc_core.hpp"

namespace hostmesh {

namespace detail {

OpenPort& OpenPort::operator=(OpenPort&& other) noexcept {
  if (this == &other) return *this;
  close();
  instance_ = std::move(other.instance_);
  other.instance_.reset();
  port_ = other.port_;
  return *this;
}

void OpenPort::close() {
  if (const auto instance = instance_.lock()) instance->close(port_);
  instance_.reset();
}

void PortQueue::push(Bytes payload) {
  const std::lock_guard lock(mutex_);
  if (kind_ == PortKind::kLatest) payloads_.clear();
  payloads_.push_back(std::move(payload));
  if (kind_ == PortKind::kOnce)
    end_ = Error(Cause::kCancelled, "this port takes one value, which was received");
  changed_.notify_all();
}

void PortQueue::end(Error why) {
  const std::lock_guard lock(mutex_);
  if (!end_) end_ = std::move(why);
  changed_.notify_all();
}

Result<Bytes> PortQueue::pop(Deadline deadline) {
  const TimePoint began = Clock::now();
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return !payloads_.empty() || end_.has_value(); };
  if (deadline.is_never()) {
    changed_.wait(lock, ready);
  } else if (!changed_.wait_until(lock, deadline.when(), ready)) {
    return Error(Cause::kTimeout, "nothing was received in " + to_string(Clock::now() - began));
  }
  if (payloads_.empty()) return *end_;
  Bytes payload = std::move(payloads_.front());
  payloads_.pop_front();
  return payload;
}

std::optional<Bytes> PortQueue::try_pop() {
  const std::lock_guard lock(mutex_);
  if (payloads_.empty()) return std::nullopt;
  Bytes payload = std::move(payloads_.front());
  payloads_.pop_front();
  return payload;
}

namespace {

// What a blocked caller waits for.
struct Waiting {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Result<Bytes>> answer;
};

}  // namespace

}  // namespace detail

Client::Client(Proc& proc, std::string name)
    : proc_(proc), instance_(value_or_throw(proc.core()->add_instance(std::move(name)))) {}

Client::~Client() {
  instance_->close_all(Error(Cause::kCancelled, "the client has ended"));
  if (const auto proc = instance_->proc.lock()) proc->remove_instance(*instance_);
}

const ActorId& Client::id() const {
  return instance_->id;
}

Proc& Client::proc() const {
  return proc_;
}

void Client::send_bytes(PortId to, Bytes payload, SendClass send_class) {
  const auto system = instance_->system.lock();
  if (!system) return;
  system->run(detail::Post{Envelope{.kind = EnvelopeKind::kSend,
                                    .dest = std::move(to),
                                    .sender = instance_->id,
                                    .payload = std::move(payload)},
                           send_class});
}

Result<Bytes> Client::call_bytes(PortId to, Bytes payload, SendClass send_class, Deadline deadline) {
  const auto system = instance_->system.lock();
  if (!system) return Error(Cause::kCancelled, "the actor system has ended");
  if (system->reactor.on_thread()) {
    return Error(Cause::kInternal, "call() blocks and was called on the reactor thread, for " + to.text() +
                                       "; there, use call_async()");
  }
  const auto waiting = std::make_shared<detail::Waiting>();
  system->run(detail::Call{std::move(to), instance_->id, std::move(payload), send_class, deadline,
                           [waiting](Result<Bytes> answer) {
                             const std::lock_guard lock(waiting->mutex);
                             waiting->answer = std::move(answer);
                             waiting->changed.notify_all();
                           }});
  std::unique_lock lock(waiting->mutex);
  const auto answered = [&] { return waiting->answer.has_value(); };
  // The router answers at the deadline too, with more to say; the extra time is for a reactor that is late or
  // stopped.
  constexpr Duration kGrace = std::chrono::seconds(1);
  if (deadline.is_never()) {
    waiting->changed.wait(lock, answered);
  } else if (!waiting->changed.wait_until(lock, deadline.later_by(kGrace).when(), answered)) {
    return Error(Cause::kTimeout, "a call had no answer by its deadline, and the reactor does not respond");
  }
  return *std::move(waiting->answer);
}

void Client::call_bytes_async(PortId to, Bytes payload, SendClass send_class, Deadline deadline,
                              std::function<void(Result<Bytes>)> done) {
  const auto system = instance_->system.lock();
  if (!system) return done(Error(Cause::kCancelled, "the actor system has ended"));
  system->run(
      detail::Call{std::move(to), instance_->id, std::move(payload), send_class, deadline, std::move(done)});
}

std::pair<PortId, detail::OpenPort> Client::open_queue_port(std::shared_ptr<detail::PortQueue> queue,
                                                            detail::PortKind kind) {
  const std::uint64_t port = instance_->open({.take = [queue](Bytes payload) -> Result<> {
                                                queue->push(std::move(payload));
                                                return {};
                                              },
                                              .end = [queue](Error why) { queue->end(std::move(why)); },
                                              .once = kind == detail::PortKind::kOnce});
  return {PortId{instance_->id, port}, detail::OpenPort(instance_, port)};
}

std::pair<PortId, detail::OpenPort> Client::open_sink(std::function<Result<>(ByteView)> sink) {
  const std::uint64_t port = instance_->open(
      {.take = [sink = std::move(sink)](Bytes payload) { return sink(payload); }, .end = nullptr});
  return {PortId{instance_->id, port}, detail::OpenPort(instance_, port)};
}

std::function<bool()> Client::reactor_question() const {
  return [weak = instance_->system] {
    const auto system = weak.lock();
    return system && system->reactor.on_thread();
  };
}

}  // namespace hostmesh
