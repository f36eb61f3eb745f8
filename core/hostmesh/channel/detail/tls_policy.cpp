#include "hostmesh/channel/detail/tls.hpp"

#include "hostmesh/channel/detail/socket.hpp"

namespace hostmesh::detail {

namespace {

bool may_break(const ChannelAddr& addr, const Limits& limits) {
  return addr.transport() == Transport::kTcp && (!addr.is_loopback() || limits.tcp_tls_loopback);
}

}  // namespace

bool needs_tls(const ChannelAddr& addr, const Limits& limits) {
  if (addr.transport() != Transport::kTcp) return false;
  return addr.is_loopback() ? limits.tcp_tls_loopback : !limits.tcp_insecure;
}

bool may_resume(const ChannelAddr& addr, const Limits& limits) {
  return may_break(addr, limits) && limits.session_grace > Duration::zero();
}

Result<> watch_link(int socket, const ChannelAddr& addr, const Limits& limits) {
  const Duration after =
      limits.session_grace > Duration::zero() ? limits.session_grace : limits.session_silence;
  if (!may_break(addr, limits) || after <= Duration::zero()) return {};
  return end_when_unreachable(socket, after);
}

}  // namespace hostmesh::detail
