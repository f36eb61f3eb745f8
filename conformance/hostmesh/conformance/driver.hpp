// The driver: runs cases, each in a process of its own, some at a time, and sees that each comes to an end.
//
// Whatever a case's process does (abort, hang, kill itself), it is one failed case and nothing worse. The
// driver's process is a subreaper and kills what such a process leaves behind.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "hostmesh/conformance/outcome.hpp"

namespace hostmesh::conformance {

struct DriverOptions {
  std::vector<const Case*> cases;  // in the order of all_cases(), the first one included
  std::vector<std::string> argv;   // of this program, for the processes of the cases
  std::size_t jobs = 8;
  double patience = 1;
  std::function<void(const PluginDescription&)> on_plugin;  // once, before all but the first outcome
  std::function<void(const Outcome&)> on_outcome;           // as they come
};

// Blocks until all have ended. The outcomes are in the order of the cases.
Report run_cases(const DriverOptions& options);

}  // namespace hostmesh::conformance
