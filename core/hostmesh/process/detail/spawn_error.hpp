// What a failed launch tells its caller.
#pragma once

#include <string>

#include "hostmesh/base/error.hpp"
#include "hostmesh/process/spawn.hpp"

namespace hostmesh::detail {

// A request that cannot be: nothing was tried.
Error bad_request(const SpawnRequest& request, std::string why);
// `what` is the step that failed ("open /dev/null"), with its errno.
Error launch_error(const SpawnRequest& request, std::string what, int error_number, std::string hint = {});
// What the errno of a failed exec usually means; empty when it speaks for itself.
std::string exec_hint(const SpawnRequest& request, int error_number);

}  // namespace hostmesh::detail
