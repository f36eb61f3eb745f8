// The conformance suite for allocator plugins: what every allocator promises, as cases that try it.
//
// `hostmesh conformance` is this, and so is the test program that a plugin's own project runs:
//
//   #include <hostmesh/conformance/conformance.hpp>
//   int main(int argc, char** argv) {
//     return hostmesh::conformance::main(argc, argv, {.plugin = "build/libmine.so"});
//   }
//
// Each case runs in a process of its own: the running program again, with the same arguments. So main() must
// come here first, before it starts threads or prints anything.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "hostmesh/conformance/visibility.hpp"

namespace hostmesh::conformance {

// What holds unless the command line says otherwise.
struct Defaults {
  std::string program;               // how usage and help call it; empty: the name of the running program
  std::filesystem::path plugin;      // as --plugin
  std::string allocator;             // as --allocator
  std::filesystem::path config;      // as --config
  std::vector<std::string> options;  // as --option: "KEY=VALUE"
};

// Exit statuses.
inline constexpr int kConformsStatus = 0;  // every MUST case that applies has passed
inline constexpr int kDoesNotConformStatus = 1;
inline constexpr int kUnusableStatus =
    2;  // no verdict: a mistake in the arguments, or in plugins.yaml, or the machine has run out of something
// Interrupted by a signal: 128 + its number, with nothing left behind.

// Runs what the arguments ask for (see --help), prints the verdict and returns the exit status. In a process
// that was started for one case it does not return. Does not throw.
HOSTMESH_CONFORMANCE_EXPORT int main(int argc, char** argv, const Defaults& defaults = {});

}  // namespace hostmesh::conformance
