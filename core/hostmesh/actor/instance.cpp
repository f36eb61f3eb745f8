#include "hostmesh/actor/detail/instance.hpp"

#include "hostmesh/base/log.hpp"

namespace hostmesh::detail {

std::uint64_t Instance::open(Sink sink) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t port = next_port_++;
  if (!closed_) {
    sinks_.emplace(port, std::make_shared<Sink>(std::move(sink)));
  } else if (sink.end) {
    sink.end(Error(Cause::kCancelled, "the client has ended"));
  }
  return port;
}

void Instance::close(std::uint64_t port) {
  std::shared_ptr<Sink> closed;  // destroyed without the lock: what it captured may close ports itself
  const std::lock_guard lock(mutex_);
  const auto found = sinks_.find(port);
  if (found == sinks_.end()) return;
  closed = std::move(found->second);
  sinks_.erase(found);
}

void Instance::close_all(const Error& why) {
  std::map<std::uint64_t, std::shared_ptr<Sink>> sinks;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    sinks.swap(sinks_);
  }
  for (const auto& [port, sink] : sinks) {
    if (sink->end) sink->end(why);
  }
}

bool Instance::deliver(std::uint64_t port, Bytes payload) {
  std::shared_ptr<Sink> sink;
  {
    const std::lock_guard lock(mutex_);
    const auto found = sinks_.find(port);
    if (found == sinks_.end()) return false;
    sink = found->second;
    if (sink->once) sinks_.erase(found);
  }
  const Result<> taken = sink->take(std::move(payload));
  if (!taken) {
    if (const auto core = system.lock()) ++core->undecodable;
    log::warning("value refused " + log::field("port", PortId{id, port}.text()) + " " +
                 log::field("why", taken.error().text()));
  }
  return true;
}

}  // namespace hostmesh::detail
