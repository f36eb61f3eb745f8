// What a ForkServer's two ends say to each other, over a SOCK_SEQPACKET pair: one message is one packet.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hostmesh::detail {

// The descriptor and the variable by which a program knows that it is to serve.
inline constexpr int kForkServerFd = 3;
inline constexpr const char* kForkServerVariable = "HOSTMESH_FORK_SERVER";

// Carries three descriptors: stdin, stdout and stderr of the child.
struct ForkRequest {
  std::uint64_t id = 0;
  std::int32_t parent_death_signal = 0;  // 0: none
  std::uint64_t descriptor_limit = 0;    // 0: as the server's
  bool own_group = true;
  std::string working_directory;  // empty: the server's
  std::vector<std::string> environment;
};

// Carries the child's pidfd when there is a child.
struct ForkReply {
  std::uint64_t id = 0;
  std::int64_t pid = 0;
  std::int32_t error = 0;  // errno
};

// A packet and at most `kMaxFds` descriptors with it.
inline constexpr std::size_t kMaxFds = 3;
inline constexpr std::size_t kMaxPacket = 1 << 20;  // bytes

}  // namespace hostmesh::detail
