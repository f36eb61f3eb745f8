// The commands that are run here for a launch on another machine: an ssh client, and what it starts there.
#pragma once

#include <string>

#include "copies.hpp"
#include "hostmesh/plugin/sdk.hpp"
#include "hosts.hpp"
#include "settings.hpp"

namespace hostmesh_ssh {

// Lacks its last word, which is the one that passes the remote shell and starts our program with --exec.
// `version` is the one that our program over there has to have.
hostmesh::plugin::Command launch_command(const Settings& settings,
                                         const hostmesh::plugin::LaunchRequest& request, const Target& target,
                                         const std::string& version);

// Complete; makes the copy on that host, and ends without a marker.
hostmesh::plugin::Command copying_command(const Settings& settings, const Copy& copy, const Target& target);

}  // namespace hostmesh_ssh
