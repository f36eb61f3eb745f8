#include "hostmesh/process/detail/packet.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "hostmesh/process/detail/fork_server_protocol.hpp"

namespace hostmesh::detail {

namespace {

union Control {
  std::array<char, CMSG_SPACE(sizeof(int) * kMaxFds)> bytes;
  cmsghdr alignment;
};

}  // namespace

int send_packet(int socket, ByteView bytes, std::span<const int> fds) {
  iovec body{.iov_base = const_cast<std::uint8_t*>(bytes.data()), .iov_len = bytes.size()};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  Control control{};
  if (!fds.empty()) {
    message.msg_control = control.bytes.data();
    message.msg_controllen = CMSG_SPACE(fds.size_bytes());
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(fds.size_bytes());
    std::memcpy(CMSG_DATA(header), fds.data(), fds.size_bytes());
  }
  while (::sendmsg(socket, &message, MSG_NOSIGNAL) < 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

Packet receive_packet(int socket) {
  Packet packet;
  // What is there tells its size first, so that no packet needs a megabyte.
  ssize_t size = 0;
  while ((size = ::recv(socket, nullptr, 0, MSG_PEEK | MSG_TRUNC)) < 0) {
    if (errno == EINTR) continue;
    packet.error = errno;
    return packet;
  }
  packet.bytes.resize(static_cast<std::size_t>(size));
  iovec body{.iov_base = packet.bytes.data(), .iov_len = packet.bytes.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &body;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  while ((size = ::recvmsg(socket, &message, MSG_CMSG_CLOEXEC)) < 0) {
    if (errno == EINTR) continue;
    packet.error = errno;
    return packet;
  }
  packet.bytes.resize(static_cast<std::size_t>(size));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, kMaxFds> fds{};
    const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    std::memcpy(fds.data(), CMSG_DATA(header), count * sizeof(int));
    for (std::size_t i = 0; i < count; ++i) packet.fds.emplace_back(fds[i]);
  }
  return packet;
}

}  // namespace hostmesh::detail
