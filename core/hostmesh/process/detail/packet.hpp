// Packets with descriptors over a unix socket.
#pragma once

#include <span>
#include <vector>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/secret.hpp"

namespace hostmesh::detail {

// 0, or errno.
int send_packet(int socket, ByteView bytes, std::span<const int> fds);

struct Packet {
  int error = 0;  // errno
  Bytes bytes;    // empty with no error: the other end is gone
  std::vector<UniqueFd> fds;
};
Packet receive_packet(int socket);

}  // namespace hostmesh::detail
