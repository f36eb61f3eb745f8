#include "hostmesh/channel/peer.hpp"

namespace hostmesh {

std::string_view to_string(Role role) {
  switch (role) {
    case Role::kChild:
      return "child";
    case Role::kPeer:
      return "peer";
  }
  return "unknown";
}

std::string to_string(const PeerClaim& claim) {
  return std::string(to_string(claim.role)) + " rank " + std::to_string(claim.rank) + " incarnation " +
         std::to_string(claim.incarnation) + " of '" + claim.allocation + "'";
}

Secret key_for(const Secret& allocation_secret, const PeerClaim& claim) {
  // The free-form part comes last, so that no two claims share a label.
  return allocation_secret.derive("hostmesh channel key 1/" + std::string(to_string(claim.role)) + "/" +
                                  std::to_string(claim.rank) + "/" + std::to_string(claim.incarnation) + "/" +
                                  claim.allocation);
}

}  // namespace hostmesh
