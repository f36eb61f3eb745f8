// The process of one case, and what it tells the driver: lines of JSON on what was its stdout.
#pragma once

#include <string>
#include <string_view>

#include "hostmesh/conformance/outcome.hpp"
#include "hostmesh/conformance/subject.hpp"

namespace hostmesh::conformance {

// The environment variable that makes a program the process of a case, by its id.
inline constexpr const char* kEnvCase = "HOSTMESH_CONFORMANCE_CASE";

// How long a case may take beyond its deadline, to say that it was over: waits inside end at the deadline.
inline constexpr Duration kCaseGrace = std::chrono::seconds(6);

// Runs the case here, tells the driver and ends the process.
[[noreturn]] void run_as_worker(const Case& which, const SubjectChoice& choice, double patience);

// Reads one line of a worker's into what it is about.
enum class WorkerLine : std::uint8_t { kNonsense, kEvent, kPlugin, kVerdict };
WorkerLine read_worker_line(std::string_view line, Outcome& outcome, PluginDescription& plugin);

}  // namespace hostmesh::conformance
