#include "hostmesh/channel/detail/socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>

namespace hostmesh::detail {

namespace {

Result<SocketAddress> unix_address(const ChannelAddr& addr) {
  SocketAddress result;
  auto& address = reinterpret_cast<sockaddr_un&>(result.storage);
  // One byte for the NUL that starts an abstract name or ends a path.
  const std::size_t room = sizeof address.sun_path - 1;
  if (addr.name().empty() || addr.name().size() > room) {
    return Error(Cause::kInvalidArgument, addr.text() + ": the name has " +
                                              std::to_string(addr.name().size()) +
                                              " bytes; a unix socket's has 1 to " + std::to_string(room));
  }
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path + (addr.is_abstract() ? 1 : 0), addr.name().data(), addr.name().size());
  result.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + addr.name().size());
  return result;
}

Result<SocketAddress> tcp_address(const ChannelAddr& addr) {
  SocketAddress result;
  const auto port = htons(static_cast<std::uint16_t>(addr.number()));
  if (addr.name().find(':') == std::string::npos) {
    auto& address = reinterpret_cast<sockaddr_in&>(result.storage);
    address.sin_family = AF_INET;
    address.sin_port = port;
    ::inet_pton(AF_INET, addr.name().c_str(), &address.sin_addr);
    result.size = sizeof address;
  } else {
    auto& address = reinterpret_cast<sockaddr_in6&>(result.storage);
    address.sin6_family = AF_INET6;
    address.sin6_port = port;
    ::inet_pton(AF_INET6, addr.name().c_str(), &address.sin6_addr);
    result.size = sizeof address;
  }
  return result;
}

}  // namespace

Result<SocketAddress> socket_address(const ChannelAddr& addr) {
  HOSTMESH_ASSERT(addr.transport() != Transport::kLocal, "a local address has no socket");
  return addr.transport() == Transport::kUnix ? unix_address(addr) : tcp_address(addr);
}

Cause cause_of(int error_number) {
  return is_exhaustion(error_number) || error_number == ENOSPC ? Cause::kResourceLimit : Cause::kIo;
}

Result<UniqueFd> new_socket(const ChannelAddr& addr) {
  const bool ipv6 = addr.name().find(':') != std::string::npos;
  const int family = addr.transport() == Transport::kUnix ? AF_UNIX : ipv6 ? AF_INET6 : AF_INET;
  UniqueFd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return os_error(cause_of(errno), "making a socket for " + addr.text(), errno);
  return socket;
}

Result<> end_when_unreachable(int socket, Duration after) {
  const auto set = [socket](int level, int option, int value) {
    return ::setsockopt(socket, level, option, &value, sizeof value) == 0;
  };
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(after).count();
  const int timeout_ms = static_cast<int>(std::clamp<std::int64_t>(ms, 1, INT_MAX));
  // Asked for in whole seconds. With TCP_USER_TIMEOUT the number of probes counts for nothing.
  const int probe_s = std::clamp(timeout_ms / 4000, 1, 3600);
  if (!set(SOL_SOCKET, SO_KEEPALIVE, 1) || !set(IPPROTO_TCP, TCP_KEEPIDLE, probe_s) ||
      !set(IPPROTO_TCP, TCP_KEEPINTVL, probe_s) || !set(IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_ms)) {
    return os_error(Cause::kIo, "having the kernel watch a connection", errno);
  }
  return {};
}

Result<ChannelAddr> socket_name(int socket, SocketEnd end) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  const int failed = end == SocketEnd::kLocal ? ::getsockname(socket, address, &size)
                                              : ::getpeername(socket, address, &size);
  if (failed != 0) return os_error(Cause::kIo, "asking for a socket's address", errno);
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &ipv4.sin_addr, text, sizeof text);
    return ChannelAddr::tcp(text, ntohs(ipv4.sin_port));
  }
  const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(storage);
  ::inet_ntop(AF_INET6, &ipv6.sin6_addr, text, sizeof text);
  return ChannelAddr::tcp(text, ntohs(ipv6.sin6_port));
}

}  // namespace hostmesh::detail
