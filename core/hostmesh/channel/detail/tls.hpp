// TLS 1.3 over any Stream, keyed by a claim's key: no certificates, no files.
//
// The handshake of TLS happens inside the first reads and writes; until it is done both wait. It proves the
// key to both sides; the handshake of handshake.hpp then runs inside and is bound to it. The owner of the
// stream bounds the time.
#pragma once

#include <memory>
#include <string>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/detail/limits.hpp"
#include "hostmesh/channel/detail/stream.hpp"
#include "hostmesh/channel/listener.hpp"
#include "hostmesh/channel/peer.hpp"

namespace hostmesh::detail {

// Beyond this machine unless the configuration says "insecure"; within it when the configuration asks for it.
bool needs_tls(const ChannelAddr& addr, const Limits& limits);

// Where the end of a connection may be a fault on the way, and not the death of the peer.
bool may_resume(const ChannelAddr& addr, const Limits& limits);
// Has the kernel end such a connection when the other machine cannot be reached for SESSION_GRACE, or for
// SESSION_SILENCE where nothing is resumed.
Result<> watch_link(int socket, const ChannelAddr& addr, const Limits& limits);

Result<std::unique_ptr<Stream>> dialling_tls(Reactor& reactor, std::unique_ptr<Stream> inner,
                                             const PeerClaim& claim, const Secret& key);
// Takes the key from `options` once it is known who claims what.
Result<std::unique_ptr<Stream>> listening_tls(Reactor& reactor, std::unique_ptr<Stream> inner,
                                              std::shared_ptr<const ListenOptions> options);

}  // namespace hostmesh::detail
