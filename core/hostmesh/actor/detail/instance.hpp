// Instance: the ports of one Client.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "hostmesh/actor/detail/core.hpp"
#include "hostmesh/actor/ids.hpp"

namespace hostmesh::detail {

// Thread-safe; values are delivered on the reactor.
struct Instance : std::enable_shared_from_this<Instance> {
  struct Sink {
    std::function<Result<>(Bytes)> take;
    std::function<void(Error)> end;  // may be empty
    bool once = false;
  };

  Instance(std::shared_ptr<SystemCore> in, std::weak_ptr<ProcCore> at, ActorId as)
      : system(in), proc(std::move(at)), id(std::move(as)) {}

  std::uint64_t open(Sink sink);
  void close(std::uint64_t port);
  void close_all(const Error& why);
  // False when the port is closed.
  bool deliver(std::uint64_t port, Bytes payload);

  const std::weak_ptr<SystemCore> system;
  const std::weak_ptr<ProcCore> proc;
  const ActorId id;

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, std::shared_ptr<Sink>> sinks_;
  std::uint64_t next_port_ = 1024;
  bool closed_ = false;
};

}  // namespace hostmesh::detail
