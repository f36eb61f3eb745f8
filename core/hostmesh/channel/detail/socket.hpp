// Socket addresses and descriptors for the unix and tcp forms of ChannelAddr.
#pragma once

#include <sys/socket.h>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/addr.hpp"

namespace hostmesh::detail {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Refuses names that are too long for a unix socket.
Result<SocketAddress> socket_address(const ChannelAddr& addr);
// A non-blocking, close-on-exec stream socket of the address's family.
Result<UniqueFd> new_socket(const ChannelAddr& addr);
// kResourceLimit for exhausted descriptors and memory, else kIo.
Cause cause_of(int error_number);

// The kernel ends this tcp connection with ETIMEDOUT when the other machine's has not answered for that long,
// also while nothing is sent. Whole seconds count.
Result<> end_when_unreachable(int socket, Duration after);

enum class SocketEnd : std::uint8_t { kLocal, kRemote };
// Of a tcp socket.
Result<ChannelAddr> socket_name(int socket, SocketEnd end);

}  // namespace hostmesh::detail
