// resolve(): the addresses behind a host's name, asked for once and away from the reactor.
//
// Addresses elsewhere are numeric; this is where names become that. The C library's resolver cannot be
// interrupted, so it has a thread of its own, which may outlive the question; nothing waits for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/addr.hpp"

namespace hostmesh {

// A question under way. Destruction cancels it: `done` will not run any more. Must end before its reactor.
class Resolution {
 public:
  virtual ~Resolution() = default;
};

// `text` is an address, or "tcp:HOST:PORT" with a name for the host. Reactor thread only. Calls `done` once,
// never inside this call: the tcp addresses in the resolver's order of preference, at least one. An address
// that is numeric already is its own answer. Fails with kTimeout after the deadline, with kUnroutable and the
// resolver's own words when there is none.
std::unique_ptr<Resolution> resolve(Reactor& reactor, std::string_view text, Deadline deadline,
                                    std::function<void(Result<std::vector<ChannelAddr>>)> done);

}  // namespace hostmesh
