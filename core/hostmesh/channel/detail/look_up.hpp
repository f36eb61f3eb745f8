// The system's answer to what the addresses of a host are.
#pragma once

#include <string>
#include <vector>

#include "hostmesh/base/result.hpp"

namespace hostmesh::detail {

// Numeric addresses in the resolver's order of preference; an address may come twice. Any thread; waits for
// as long as the resolver does, and nothing can interrupt it. kUnroutable, and the resolver's own words, when
// there is none.
Result<std::vector<std::string>> look_up_host(const std::string& host);

}  // namespace hostmesh::detail
