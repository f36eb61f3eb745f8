// The fixture for tests with real processes, and this room's helper program.
#pragma once

#include "support/process_test.hpp"

namespace hostmesh::test {

inline SpawnRequest helper(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), HOSTMESH_TEST_HELPER);
  return {.argv = std::move(arguments), .environment = {"ASAN_OPTIONS=detect_leaks=0"}};
}

}  // namespace hostmesh::test
