// What is said when hosts of a mesh do not come up: each machine once, with what is wrong there.
//
// Pure: failures in, one error out.
#pragma once

#include <string>
#include <vector>

#include "hostmesh/base/error.hpp"
#include "hostmesh/base/ids.hpp"

namespace hostmesh {

struct HostFailure {
  Rank rank = 0;
  std::string node;  // the machine, empty when not known
  Error error;
};

// One machine: its first failure in full, and how many ranks it is about. Several: a table with a line for
// each, the first of them in the order of their ranks. Ranks without a machine that failed alike count as
// one. Whatever is too long is cut.
Error error_of_hosts(std::vector<HostFailure> failures, std::uint64_t total);

}  // namespace hostmesh
