#include "hostmesh/channel/detail/tls.hpp"

namespace hostmesh::detail {

bool needs_tls(const ChannelAddr& addr, const Limits& limits) {
  if (addr.transport() != Transport::kTcp) return false;
  return addr.is_loopback() ? limits.tcp_tls_loopback : !limits.tcp_insecure;
}

bool may_resume(const ChannelAddr& addr, const Limits& limits) {
  return addr.transport() == Transport::kTcp && (!addr.is_loopback() || limits.tcp_tls_loopback) &&
         limits.session_grace > Duration::zero();
}

}  // namespace hostmesh::detail
