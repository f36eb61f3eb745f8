// What can be known of a plugin file before any of its code runs. Any thread.
#pragma once

#include <filesystem>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// The absolute path with every link resolved, when the file may be opened as a plugin: a regular file that is
// trusted (base/trusted_file.hpp), in a folder that others cannot write to even if it is sticky, whole, and a
// shared library of this machine.
Result<std::filesystem::path> check_plugin_file(const std::filesystem::path& file);

}  // namespace hostmesh
