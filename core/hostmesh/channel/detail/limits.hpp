// The bounds that a connection and its handshake keep to, read once from a Config.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "hostmesh/base/config.hpp"

namespace hostmesh::detail {

struct Limits {
  explicit Limits(const Config& config)
      : max_message_bytes(std::min<std::uint64_t>(config.get(attribute::kCodecMaxFrameLength), UINT32_MAX)),
        bulk_queue_bytes(config.get(attribute::kBulkQueueLimit)),
        control_queue_bytes(config.get(attribute::kControlQueueLimit)),
        max_half_open(config.get(attribute::kMaxHalfOpen)),
        handshake_timeout(config.get(attribute::kHandshakeTimeout)),
        tcp_insecure(config.get(attribute::kTcpInsecure)),
        tcp_tls_loopback(config.get(attribute::kTcpTlsLoopback)),
        session_grace(config.get(attribute::kSessionGrace)),
        session_silence(config.get(attribute::kSessionSilence)),
        session_return(config.get(attribute::kSessionReturn)) {}

  std::size_t max_message_bytes;
  std::size_t bulk_queue_bytes;
  std::size_t control_queue_bytes;
  std::size_t max_half_open;
  Duration handshake_timeout;
  bool tcp_insecure;
  bool tcp_tls_loopback;
  Duration session_grace;    // zero: no sessions
  Duration session_silence;  // zero: never noticed
  Duration session_return;
};

}  // namespace hostmesh::detail
