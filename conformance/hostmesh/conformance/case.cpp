#include "hostmesh/conformance/case.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <utility>

#include "hostmesh/conformance/cases/cases.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::pair<Needs, std::string_view> kNames[] = {
    {needs::kProcesses, "processes"},      {needs::kSignal, "signal"}, {needs::kLocalProcs, "local_procs"},
    {needs::kSameMachine, "same_machine"}, {needs::kOutput, "output"}, {needs::kExitStatus, "exit_status"},
    {needs::kLifeline, "lifeline"},
};

Needs offered_by(const PluginDescription& plugin) {
  return plugin.capabilities | (plugin.can(Capability::kLocalProcs) ? 0 : needs::kProcesses);
}

}  // namespace

std::string_view to_string(Level level) {
  return level == Level::kMust ? "MUST" : "SHOULD";
}

const std::vector<Case>& all_cases() {
  static const std::vector<Case> cases = [] {
    std::vector<Case> all;
    for (const auto& group :
         {load_cases, config_cases, order_cases, alloc_cases, launch_cases, files_cases, inherited_cases,
          client_cases, output_cases, stop_cases, orphans_cases, detect_cases, secure_cases, scale_cases}) {
      for (const Case& each : group()) all.push_back(each);
    }
    return all;
  }();
  return cases;
}

const Case* find_case(std::string_view id) {
  const auto& cases = all_cases();
  const auto found =
      std::find_if(cases.begin(), cases.end(), [id](const Case& each) { return each.id == id; });
  return found == cases.end() ? nullptr : &*found;
}

std::string why_not(const Case& each, const PluginDescription& plugin) {
  const Needs missing = each.needs & ~offered_by(plugin);
  if (missing == 0) return {};
  if ((missing & needs::kProcesses) != 0) return "its launches are procs, not processes";
  return "it does not have: " + needs_text(missing);
}

std::string needs_text(Needs needs) {
  std::string text;
  for (const auto& [bit, name] : kNames) {
    if ((needs & bit) != 0) text += (text.empty() ? "" : ", ") + std::string(name);
  }
  return text.empty() ? "none" : text;
}

bool matches(std::string_view id, std::string_view patterns) {
  while (!patterns.empty()) {
    const std::size_t comma = std::min(patterns.find(','), patterns.size());
    const std::string pattern(patterns.substr(0, comma));
    if (::fnmatch(pattern.c_str(), std::string(id).c_str(), 0) == 0) return true;
    patterns.remove_prefix(std::min(comma + 1, patterns.size()));
  }
  return false;
}

}  // namespace hostmesh::conformance
