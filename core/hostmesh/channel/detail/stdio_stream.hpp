// StdioStream: what a program has as its stdin and stdout, or the other end of that, as a Stream.
#pragma once

#include <memory>
#include <string>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/detail/stream.hpp"

namespace hostmesh::detail {

// Pipes or sockets; `out` may be empty: then `in` is a socket that is both. They are made not to block. The
// stream ends with shutdown() where it can, so that its peer sees the end even if a duplicate stays open. A
// program that writes to a pipe must ignore SIGPIPE.
Result<std::unique_ptr<Stream>> make_stdio_stream(Reactor& reactor, UniqueFd in, UniqueFd out,
                                                  std::string description);

}  // namespace hostmesh::detail
