// The commands that are run here for a launch on another machine: an ssh client, and what it starts there.
#pragma once

#include <string>

#include "copies.hpp"
#include "hostmesh/plugin/sdk.hpp"
#include "hosts.hpp"
#include "settings.hpp"

namespace hostmesh_ssh {

// Lacks its first words, which are the client's, and its last one, which passes the remote shell and starts
// our program with --exec. `version` is the one that our program over there has to have.
hostmesh::plugin::Command launch_command(const hostmesh::plugin::LaunchRequest& request, const Place& place,
                                         bool is_direct, const std::string& version);

// Complete; makes the copy on that host, and ends without a marker.
hostmesh::plugin::Command copying_command(const Client& client, const Copy& copy, const Place& place);

}  // namespace hostmesh_ssh
