// A pid name space for a case, in which it can choose the pid of the next process.
#pragma once

#include <cstdint>
#include <functional>

#include "hostmesh/conformance/stage.hpp"

namespace hostmesh::conformance {

// Runs `work` as the first process of a new pid name space, with a /proc of its own, as a copy of the case's
// process: so before the case has loaded the plugin or started a thread. What `work` throws is thrown here.
// Skips the case where there can be no such name space.
void in_own_pids(Stage& stage, const std::function<void(Stage&)>& work);

// Inside of it: the next process or thread gets this pid if it is free. False when that cannot be.
bool choose_next_pid(std::int64_t pid);

}  // namespace hostmesh::conformance
