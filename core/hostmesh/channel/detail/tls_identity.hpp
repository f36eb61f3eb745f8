// The name under which a dialler's key is known in TLS: its claim without `process`, readable by anyone on
// the way. Pure.
#pragma once

#include <string>
#include <string_view>

#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/peer.hpp"

namespace hostmesh::detail {

// "hostmesh/1/child/3/0/" and the allocation.
std::string tls_identity(const PeerClaim& claim);
// Accepts exactly what tls_identity() makes.
Result<PeerClaim> parse_tls_identity(std::string_view identity);
// What TLS is keyed with; says nothing about the key that it is made from.
Secret tls_key(const Secret& key);

}  // namespace hostmesh::detail
