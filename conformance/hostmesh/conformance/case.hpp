// Case: one thing that every allocator plugin promises, and how it is tried. Values; the table of all cases
// is what the suite, its listing and docs/conformance.md are made from.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/plugin/abi.h"
#include "hostmesh/plugin/description.hpp"

namespace hostmesh::conformance {

class Stage;

// A SHOULD that fails is a warning in the verdict.
enum class Level : std::uint8_t { kMust, kShould };

// What an allocator needs for a case to apply: a set of bits. The lower ones are the capabilities of abi.h.
using Needs = std::uint64_t;
namespace needs {
inline constexpr Needs kNothing = 0;
inline constexpr Needs kSignal = HOSTMESH_CAPABILITY_SIGNAL;
inline constexpr Needs kLocalProcs = HOSTMESH_CAPABILITY_LOCAL_PROCS;
inline constexpr Needs kSameMachine = HOSTMESH_CAPABILITY_SAME_MACHINE;
inline constexpr Needs kOutput = HOSTMESH_CAPABILITY_OUTPUT;
inline constexpr Needs kExitStatus = HOSTMESH_CAPABILITY_EXIT_STATUS;
inline constexpr Needs kLifeline = HOSTMESH_CAPABILITY_LIFELINE;
// Launches are commands, which run as processes somewhere: everything without LOCAL_PROCS.
inline constexpr Needs kProcesses = Needs{1} << 63;
}  // namespace needs

struct Case {
  std::string_view id;        // "group.what": stable, for --only and for the tests of plugins
  std::string_view sentence;  // what must hold
  Level level = Level::kMust;
  Needs needs = needs::kNothing;
  Duration deadline = std::chrono::seconds(10);  // times --patience
  std::string_view rule;                         // where it is promised
  void (*run)(Stage&) = nullptr;
  // A case without which this one says nothing new: when that one fails, this is skipped.
  std::string_view builds_on{};

  std::string_view group() const { return id.substr(0, id.find('.')); }
};

std::string_view to_string(Level level);  // "MUST", "SHOULD"

// In the order of the groups; ids are unique.
const std::vector<Case>& all_cases();
const Case* find_case(std::string_view id);

// Why the case does not apply to a plugin with these capabilities; empty when it does.
std::string why_not(const Case& each, const PluginDescription& plugin);
// "signal, output"; "none".
std::string needs_text(Needs needs);

// Shell patterns, separated by commas: "order.*,stop.term".
bool matches(std::string_view id, std::string_view patterns);

}  // namespace hostmesh::conformance
