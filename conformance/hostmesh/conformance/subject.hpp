// Subject: the allocator that is being judged, a plugin and its options.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/result.hpp"
#include "hostmesh/plugin/plugin.hpp"
#include "hostmesh/plugin/plugins_yaml.hpp"

namespace hostmesh::conformance {

// As the command line says it: a plugin's file, or an allocator of a plugins.yaml.
struct SubjectChoice {
  std::filesystem::path plugin;
  std::string allocator;
  std::filesystem::path config;
  std::vector<std::string> options;  // "KEY=VALUE", the value as in plugins.yaml

  // For people: the file, or the allocator's name.
  std::string text() const;
};

// Without any of the plugin's code running: where its file is and what options were set. A mistake of the
// caller's is an Error.
struct Chosen {
  std::filesystem::path file;
  AllocatorEntry entry;
};
Result<Chosen> choose(const SubjectChoice& choice);

struct Subject {
  Chosen chosen;
  std::shared_ptr<Plugin> plugin;
  OptionValues options;
};

}  // namespace hostmesh::conformance
