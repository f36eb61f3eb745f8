// A connection over a stream that exists already: the stdin and stdout of a program, which somebody else
// carries to the other side (an ssh client, say).
//
// The same mutual proof as over a socket, and the same Connection afterwards; only there is one try. Reactor
// thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/channel/dial.hpp"
#include "hostmesh/channel/listener.hpp"

namespace hostmesh {

// Pipes or sockets. `out` may be empty: then `in` is a socket that is both.
struct StdioEnds {
  UniqueFd in;
  UniqueFd out;
  std::string description;  // for errors
};

// The side that dials. `done` runs once, never inside this call, unless the handle is destroyed first.
// SIGPIPE must be ignored by this process when `out` is a pipe.
std::unique_ptr<Dial> dial_over(Reactor& reactor, StdioEnds ends, DialOptions options, const Config& config,
                                std::function<void(Result<std::shared_ptr<Connection>>)> done);

// The side that lets in. Bounded by HANDSHAKE_TIMEOUT; on_refused of the options is not used: `done` says it.
std::unique_ptr<Dial> accept_over(Reactor& reactor, StdioEnds ends, ListenOptions options,
                                  const Config& config,
                                  std::function<void(Result<std::shared_ptr<Connection>>)> done);

}  // namespace hostmesh
