// dial(): connects to a listener, proves the claim, and makes the listener prove that it knows the same key.
//
// Dialling before anybody listens is normal at start-up: a refused, absent or overfull listener is tried
// again until the deadline. A listener that fails or refuses the proof is final.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/channel/addr.hpp"
#include "hostmesh/channel/connection.hpp"

namespace hostmesh {

struct DialOptions {
  PeerClaim claim;
  Secret key;  // key_for(secret, claim)
  Deadline deadline;
  std::string expected_server_identity;  // empty: any
};

// A dial under way. Destruction cancels it: `done` will not run any more.
class Dial {
 public:
  virtual ~Dial() = default;
};

// Reactor thread only. Calls `done` once, never inside this call. Tries at once, then at once again, then
// after 1, 2, 4 ... 250 ms with jitter. The error after the deadline is kTimeout and has the last failure in
// it.
std::unique_ptr<Dial> dial(Reactor& reactor, const ChannelAddr& addr, DialOptions options,
                           const Config& config,
                           std::function<void(Result<std::shared_ptr<Connection>>)> done);

}  // namespace hostmesh
