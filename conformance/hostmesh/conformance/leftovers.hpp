// What a case leaves behind: processes below its own, which is a subreaper, so that none can get away.
#pragma once

#include <string>
#include <vector>

#include "hostmesh/base/deadline.hpp"

namespace hostmesh::conformance {

// Waits until no process is left below this one, and takes the dead ones away, whoever started them: for when
// nobody else waits for them any more. Those that still live at the deadline are named ("pid 12 (COMMAND)")
// and then killed, again until none is left or the deadline for that is over. Blocks.
std::vector<std::string> wait_for_leftovers(Deadline to_end, Deadline to_die);

}  // namespace hostmesh::conformance
