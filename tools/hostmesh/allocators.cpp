#include <cstdio>

#include "commands.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/plugin/plugin.hpp"
#include "hostmesh/plugin/plugins_yaml.hpp"

namespace hostmesh::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// One line for each allocator. One whose plugin cannot be used is still told of, with the reason.
int list_all(const PluginsFile& file, PluginRegistry& registry) {
  int status = 0;
  for (const AllocatorEntry& entry : file.allocators) {
    const auto plugin = find_plugin(registry, entry);
    const char* mark = entry.name == file.default_allocator ? " (default)" : "";
    if (plugin) {
      std::printf("%s%s: plugin %s %s%s%s\n", entry.name.c_str(), mark, entry.plugin.c_str(),
                  (*plugin)->description().version.c_str(),
                  (*plugin)->description().summary.empty() ? "" : ", ",
                  (*plugin)->description().summary.c_str());
    } else {
      std::printf("%s%s: plugin %s cannot be used: %s\n", entry.name.c_str(), mark, entry.plugin.c_str(),
                  plugin.error().what());
      status = kUsageStatus;
    }
  }
  return status;
}

int describe(const AllocatorEntry& entry, PluginRegistry& registry) {
  const auto plugin = value_or_throw(find_plugin(registry, entry));
  const PluginDescription& about = plugin->description();
  const OptionValues values = value_or_throw(validate_options(entry, about));
  std::printf("allocator:    %s\nplugin:       %s %s\n", entry.name.c_str(), about.name.c_str(),
              about.version.c_str());
  if (!about.summary.empty()) std::printf("what it does: %s\n", about.summary.c_str());
  std::printf("file:         %s\nABI version:  %u\ncapabilities: %s\n", about.file.c_str(), about.abi_version,
              joined(about.capability_names()).c_str());
  if (about.options.empty()) {
    std::printf("options:      none\n");
    return 0;
  }
  std::printf("options:\n");
  for (const OptionDescription& option : about.options) {
    std::string facts(to_string(option.type));
    if (option.required) facts += ", required";
    if (option.default_value) facts += ", default " + to_string(*option.default_value);
    const auto value = values.find(option.key);
    if (value != values.end()) facts += ", here " + to_string(value->second);
    std::printf("  %s (%s)\n      %s\n", option.key.c_str(), facts.c_str(), option.doc.c_str());
  }
  return 0;
}

}  // namespace

int allocators(const AllocatorsOptions& options) {
  const auto file = value_or_throw(load_plugins_yaml(
      options.config.empty() ? default_plugins_file() : std::filesystem::path(options.config)));
  PluginRegistry registry(file.search_path(),
                          {.timeout = Config::from_process_environment().get(attribute::kPluginLoadTimeout)});
  if (options.name.empty()) return list_all(file, registry);
  return describe(*value_or_throw(file.find(options.name)), registry);
}

}  // namespace hostmesh::cli
