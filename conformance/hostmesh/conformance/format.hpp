// How a run is shown: for people as it goes on, or as TAP, JUnit or JSON; and the list of the cases.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/conformance/outcome.hpp"

namespace hostmesh::conformance {

// Writes to stdout.
class Formatter {
 public:
  virtual ~Formatter() = default;
  virtual void begin(std::size_t /*cases*/) {}
  virtual void plugin(const PluginDescription&) {}
  virtual void outcome(const Outcome&) {}
  virtual void end(const Report& report) = 0;
};

// "", "tap", "junit", "json"; null for another name.
std::unique_ptr<Formatter> make_formatter(std::string_view name);

// "" (for people), "markdown", "json"; empty for another name. docs/conformance.md is the second.
std::string list_cases(const std::vector<const Case*>& cases, std::string_view format);

}  // namespace hostmesh::conformance
