#include "hostmesh/conformance/cases/described.hpp"

#include <algorithm>
#include <sstream>

#include "payload/pattern.hpp"

namespace hostmesh::conformance {

using payload::unescaped;

bool Described::has_environment(const std::string& entry) const {
  return std::find(environment.begin(), environment.end(), entry) != environment.end();
}

Described describe(Stage& stage, Probe& probe, LaunchRequest request) {
  const LaunchId launch = probe.launch(std::move(request));
  const Seen seen = probe.await_end(launch);
  const bool whole = seen.out.size() >= 4 && seen.out.compare(seen.out.size() - 4, 4, "end\n") == 0;
  if (seen.status != ExitStatus::exited(0) || !whole) {
    stage.fail("the payload describes what it was handed down",
               seen.text() + ", after " + std::to_string(seen.out.size()) + " bytes of it");
  }
  Described described;
  std::istringstream lines(seen.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::string value;
    words >> name;
    if (name == "arg" || name == "env") {
      words >> value;
      (name == "arg" ? described.argv : described.environment).push_back(unescaped(value));
    } else if (name == "fd") {
      int number = -1;
      words >> number >> value;
      described.descriptors[number] = unescaped(value);
    } else if (name == "limit") {
      std::string which;
      words >> which;
      std::getline(words >> std::ws, described.facts["limit " + which]);
    } else {
      words >> value;
      described.facts[name] = unescaped(value);
    }
  }
  return described;
}

}  // namespace hostmesh::conformance
