// The text in which people read a set of ranks: "0, 3-5, 9".
#pragma once

#include <string>
#include <vector>

#include "hostmesh/base/ids.hpp"

namespace hostmesh {

// At most a dozen pieces, then how many more there are.
std::string ranks_text(const std::vector<Rank>& sorted_ranks);

}  // namespace hostmesh
