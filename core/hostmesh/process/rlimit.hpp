// The limit on open descriptors: an owner of a thousand children needs several thousand.
#pragma once

#include <cstdint>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// Raises the soft RLIMIT_NOFILE of this process to the hard one and returns the former soft limit, which
// children should be given back (SpawnRequest::restore_nofile).
Result<std::uint64_t> raise_descriptor_limit();

}  // namespace hostmesh
