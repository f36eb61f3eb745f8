// Who is below this process: orphaned descendants are handed to the nearest subreaper, so a program that
// declares itself one sees all of its descendants as children in the end, whatever they did (setsid, double
// fork).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// For the whole process and until it ends. Its children do not inherit it.
Result<> become_subreaper();

struct Child {
  pid_t pid = 0;
  // Listed under the main thread: launched there, or an orphan that was given to us; orphans are nowhere
  // else. True for all where the kernel does not list children by thread.
  bool of_main_thread = true;
};

// Zombies included. A snapshot: a process that is being adopted meanwhile may be missing.
std::vector<Child> children_of_this_process();

// The whole of a file in /proc, or nothing when it cannot be read, which happens whenever its process ends.
std::optional<std::string> read_proc_file(const std::string& path);

}  // namespace hostmesh
