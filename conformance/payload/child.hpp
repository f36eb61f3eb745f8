// Children that do not keep to the bootstrap protocol, each in one way. They speak through the same channel
// as a good one, so that everything but the one misdeed is right.
#pragma once

#include <string>

namespace hostmesh::payload {

// In a process that was launched to become a proc: the misdeed; see child.cpp for those that there are.
// Whoever is told none of them runs, and never answers a heartbeat.
[[noreturn]] void run_bad_child(const std::string& mode);

}  // namespace hostmesh::payload
