// Where the files are that belong to this library: an installation, or a build tree of the same shape.
//
// Found from where the code itself is, never from a path that was known when it was built, so that an
// installation can be moved. Any thread.
#pragma once

#include <filesystem>

namespace hostmesh {

// The folder above lib/ of the libhostmesh that runs here; in a program into which it is linked statically,
// the folder above the program's own.
std::filesystem::path installation_folder();

}  // namespace hostmesh
