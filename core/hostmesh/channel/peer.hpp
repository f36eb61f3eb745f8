// Who a peer says it is, and the key that proves it. Values.
#pragma once

#include <sys/types.h>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/secret.hpp"

namespace hostmesh {

// What the dialling side claims to be.
enum class Role : std::uint8_t {
  kChild = 1,  // the process that was launched for a rank
  kPeer = 2,   // any other process that was given the key
};
// "child", "peer".
std::string_view to_string(Role role);

struct PeerClaim {
  Role role = Role::kPeer;
  std::string allocation;  // at most 255 bytes
  Rank rank = 0;
  Incarnation incarnation = 0;
  std::string process;  // free text: how the dialler is known, e.g. where it listens; at most 1024 bytes

  auto operator<=>(const PeerClaim&) const = default;
};
// "child rank 3 incarnation 0 of 'alloc'", for errors and logs.
std::string to_string(const PeerClaim& claim);

// The key that proves a claim: derived from the allocation's secret and bound to role, allocation, rank and
// incarnation, but not to `process`. Handed to exactly the process that may make this claim.
Secret key_for(const Secret& allocation_secret, const PeerClaim& claim);

// What the kernel says about the process at the other end of a unix socket.
struct PeerCredentials {
  pid_t pid = 0;  // as seen from our pid namespace; 0 when it is not visible
  uid_t uid = 0;

  auto operator<=>(const PeerCredentials&) const = default;
};

}  // namespace hostmesh
