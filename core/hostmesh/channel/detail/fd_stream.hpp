// FdStream: a connected unix or tcp socket as a Stream.
#pragma once

#include <memory>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/addr.hpp"
#include "hostmesh/channel/detail/stream.hpp"

namespace hostmesh::detail {

// Takes a connected non-blocking socket. `addr` is what was dialled or listened at, for the description. A
// unix peer of another user (root excepted) is refused with kAuthentication; tcp gets TCP_NODELAY. On failure
// the socket is still the caller's.
Result<std::unique_ptr<Stream>> make_fd_stream(Reactor& reactor, UniqueFd&& socket, const ChannelAddr& addr);

}  // namespace hostmesh::detail
