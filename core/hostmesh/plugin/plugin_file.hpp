// What can be known of a plugin file before any of its code runs. Any thread.
#pragma once

#include <filesystem>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// The absolute path with every link resolved, when the file may be opened as a plugin: a regular file, not
// writable by others, in a folder not writable by others, whole, and a shared library of this machine.
// Whoever can change the file or put another in its place runs code as this user.
Result<std::filesystem::path> check_plugin_file(const std::filesystem::path& file);

}  // namespace hostmesh
