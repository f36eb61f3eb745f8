// Described: what the payload's scenario `describe` found that it was handed down.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "hostmesh/conformance/probe.hpp"

namespace hostmesh::conformance {

struct Described {
  std::vector<std::string> argv;
  std::vector<std::string> environment;    // "NAME=value"
  std::map<int, std::string> descriptors;  // what each is
  std::map<std::string, std::string>
      facts;  // cwd, pid, group, session; SigBlk, SigIgn, SigCgt, SigPnd, ShdPnd
  std::map<std::string, std::string> attributes;  // see payload/attributes.hpp

  bool has_environment(const std::string& entry) const;
};

// Launches it and reads what it says. `request` is from Stage::payload({"describe", ...}).
Described describe(Stage& stage, Probe& probe, LaunchRequest request);
// Executes it without the plugin, as a plain child of this process. To be called while this process has one
// thread only.
Described describe_plain_child(Stage& stage, const LaunchRequest& request);

}  // namespace hostmesh::conformance
