// plugins.yaml: which allocators an installation has, which plugin each uses, and with which options.
//
// Whatever is wrong with the file is told as file:line:column, with what is allowed and the nearest name;
// values here keep their positions, so that this holds for what only a plugin can judge as well. Any thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/base/result.hpp"
#include "hostmesh/plugin/description.hpp"
#include "hostmesh/plugin/plugin.hpp"

namespace hostmesh {

// Both from 1.
struct FilePosition {
  std::size_t line = 1;
  std::size_t column = 1;
};

// One scalar as written. `plain` is false when it was quoted: '8' is text, 8 a number.
struct YamlScalar {
  std::string text;
  bool plain = true;
  bool null = false;
  FilePosition position;
};

struct OptionEntry {
  enum class Kind : std::uint8_t { kScalar, kList, kOther };
  std::string key;
  FilePosition key_position;
  FilePosition value_position;
  Kind kind = Kind::kScalar;
  YamlScalar scalar;              // kScalar
  std::vector<YamlScalar> items;  // kList
};

struct AllocatorEntry {
  std::string name;
  FilePosition position;
  std::string plugin;
  FilePosition plugin_position;
  std::vector<OptionEntry> options;
  std::string file;  // the name that its errors carry
};

struct PluginsFile {
  std::string file;
  std::vector<std::filesystem::path> plugin_path;  // absolute, in order, without the installed folder
  std::string default_allocator;           // the only one when the file names none; empty when there are more
  std::vector<AllocatorEntry> allocators;  // in the file's order

  // For a PluginRegistry: plugin_path, then the installed folder.
  std::vector<std::filesystem::path> search_path() const;
  // The entry of that name, the default for an empty one; an error lists the names and the nearest.
  Result<const AllocatorEntry*> find(std::string_view name = {}) const;
};

// `file` is what errors call it; a relative plugin_path is relative to its folder.
Result<PluginsFile> parse_plugins_yaml(std::string_view text, const std::filesystem::path& file);
// Refuses a file that is not trusted (base/trusted_file.hpp): it says which programs are run.
Result<PluginsFile> load_plugins_yaml(const std::filesystem::path& file);

// The entry's plugin; an unknown one is an error at the entry's position.
Result<std::shared_ptr<Plugin>> find_plugin(PluginRegistry& registry, const AllocatorEntry& entry);

// Checks the entry's options against what the plugin declares; the result has the defaults filled in.
Result<OptionValues> validate_options(const AllocatorEntry& entry, const PluginDescription& plugin);

// ./plugins.yaml if there is one, else share/hostmesh/plugins.yaml of the installation that this library
// belongs to. The file need not exist.
std::filesystem::path default_plugins_file();
// share/hostmesh/plugins.yaml of that installation. The file need not exist.
std::filesystem::path installed_plugins_file();
// lib/hostmesh/plugins of that installation.
std::filesystem::path installed_plugin_folder();

}  // namespace hostmesh
