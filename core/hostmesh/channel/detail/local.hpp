// The local transport: byte streams in memory between two endpoints of one process, which may live on two
// reactors, and the table of numbers that are listened at.
//
// The table is the process's, as the kernel's table of sockets is the machine's: an address that is a number
// means the same to every Runtime of the process. Numbers are never used again.
#pragma once

#include <functional>
#include <memory>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/addr.hpp"
#include "hostmesh/channel/detail/stream.hpp"

namespace hostmesh::detail {

// Listening at a number; destruction ends it. Reactor thread only.
class LocalPort {
 public:
  virtual ~LocalPort() = default;
  virtual std::uint64_t number() const = 0;
};

// Takes the next number. `on_stream` runs on `reactor` for each peer.
std::unique_ptr<LocalPort> listen_local(Reactor& reactor,
                                        std::function<void(std::unique_ptr<Stream>)> on_stream);

// Connects at once, or fails with kUnroutable when nobody listens: a number that is free stays free for ever.
Result<std::unique_ptr<Stream>> connect_local(Reactor& reactor, std::uint64_t number);

}  // namespace hostmesh::detail
