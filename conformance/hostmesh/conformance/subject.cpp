#include "hostmesh/conformance/subject.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

namespace hostmesh::conformance {

namespace {

Error mistake(std::string message) {
  return Error(Cause::kConfiguration, std::move(message));
}

// "lib" and ".so" taken away, as plugins.yaml names plugins.
std::string plugin_name(const std::filesystem::path& file) {
  std::string name = file.stem().string();
  if (name.rfind("lib", 0) == 0) name.erase(0, 3);
  return name;
}

// Read by the parser of plugins.yaml, so that a value means here what it means there.
Result<std::vector<OptionEntry>> parse_options(const std::vector<std::string>& options) {
  std::string text = "allocators:\n  subject:\n    plugin: subject\n";
  if (!options.empty()) text += "    options:\n";
  for (const std::string& option : options) {
    const std::size_t equals = option.find('=');
    if (equals == 0 || equals == std::string::npos)
      return mistake("--option " + option + ": KEY=VALUE is needed");
    if (option.find('\n') != std::string::npos)
      return mistake("--option " + option + ": it has several lines");
    text += "      " + option.substr(0, equals) + ": " + option.substr(equals + 1) + "\n";
  }
  auto parsed = parse_plugins_yaml(text, "--option");
  if (!parsed) return parsed.error();
  return parsed->allocators.front().options;
}

Result<Chosen> from_file(const SubjectChoice& choice) {
  std::error_code failure;
  if (!std::filesystem::is_regular_file(choice.plugin, failure)) {
    return mistake("--plugin " + choice.plugin.string() + ": there is no such file");
  }
  Chosen chosen;
  chosen.file = std::filesystem::absolute(choice.plugin);
  chosen.entry.name = plugin_name(choice.plugin);
  chosen.entry.plugin = chosen.entry.name;
  chosen.entry.file = "--option";
  return chosen;
}

Result<Chosen> from_config(const SubjectChoice& choice) {
  const auto file = load_plugins_yaml(choice.config.empty() ? default_plugins_file() : choice.config);
  if (!file) return file.error();
  const auto entry = file->find(choice.allocator);
  if (!entry) return entry.error();
  Chosen chosen;
  chosen.entry = **entry;
  for (const auto& folder : file->search_path()) {
    std::error_code failure;
    chosen.file = folder / ("lib" + chosen.entry.plugin + ".so");
    if (std::filesystem::exists(chosen.file, failure)) return chosen;
  }
  // The registry's error says where it looked, what is there and what is near.
  PluginRegistry registry(file->search_path());
  const auto plugin = find_plugin(registry, chosen.entry);
  return plugin ? mistake("plugin '" + chosen.entry.plugin + "' is not where it is looked for")
                : plugin.error();
}

}  // namespace

std::string SubjectChoice::text() const {
  return plugin.empty() ? "allocator '" + allocator + "'" : plugin.string();
}

Result<Chosen> choose(const SubjectChoice& choice) {
  auto chosen = choice.plugin.empty() ? from_config(choice) : from_file(choice);
  if (!chosen) return chosen;
  const auto set = parse_options(choice.options);
  if (!set) return set.error();
  auto& options = chosen->entry.options;
  for (const OptionEntry& option : *set) {
    options.erase(std::remove_if(options.begin(), options.end(),
                                 [&](const OptionEntry& each) { return each.key == option.key; }),
                  options.end());
    options.push_back(option);
  }
  return chosen;
}

}  // namespace hostmesh::conformance
