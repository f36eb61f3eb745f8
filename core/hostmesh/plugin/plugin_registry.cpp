#include <algorithm>
#include <set>
#include <system_error>

#include "hostmesh/plugin/nearest_name.hpp"
#include "hostmesh/plugin/plugin.hpp"

namespace hostmesh {

namespace {

constexpr std::string_view kPrefix = "lib";
constexpr std::string_view kSuffix = ".so";

std::string joined(const std::vector<std::string>& items) {
  std::string text;
  for (const std::string& item : items) {
    if (!text.empty()) text += ", ";
    text += item;
  }
  return text;
}

Error misnamed(const std::filesystem::path& file, const std::string& own) {
  return Error(Cause::kPlugin, "plugin file " + file.string() + " refused: it calls itself '" + own +
                                   "', so its file should be lib" + own + ".so");
}

}  // namespace

PluginRegistry::PluginRegistry(std::vector<std::filesystem::path> search_path, ProbeOptions probe)
    : search_path_(std::move(search_path)), probe_(std::move(probe)) {}

std::vector<std::string> PluginRegistry::names() const {
  std::set<std::string> names;
  for (const auto& folder : search_path_) {
    std::error_code failure;
    std::filesystem::directory_iterator each(folder, failure);
    for (; !failure && each != std::filesystem::directory_iterator(); each.increment(failure)) {
      const std::string file = each->path().filename().string();
      if (file.size() <= kPrefix.size() + kSuffix.size() || !file.starts_with(kPrefix) ||
          !file.ends_with(kSuffix)) {
        continue;
      }
      names.insert(file.substr(kPrefix.size(), file.size() - kPrefix.size() - kSuffix.size()));
    }
  }
  return {names.begin(), names.end()};
}

Result<std::shared_ptr<Plugin>> PluginRegistry::load(std::string_view name,
                                                     const std::filesystem::path& file) const {
  auto plugin = Plugin::load(file, probe_);
  if (!plugin) return plugin.error();
  const std::string& own = (*plugin)->description().name;
  if (own != name) return misnamed(file, own);
  return plugin;
}

Result<std::shared_ptr<Plugin>> PluginRegistry::find(std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (const auto found = tried_.find(name); found != tried_.end()) return found->second;
  const bool possible =
      !name.empty() && name.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
  const std::string file = std::string(kPrefix) + std::string(name) + std::string(kSuffix);
  for (const auto& folder : search_path_) {
    std::error_code failure;
    // A link that leads nowhere is there, and will be refused with its reason.
    if (!possible || !std::filesystem::exists(std::filesystem::symlink_status(folder / file, failure)))
      continue;
    return tried_.emplace(name, load(name, folder / file)).first->second;
  }
  std::vector<std::string> folders;
  for (const auto& folder : search_path_) {
    std::error_code failure;
    folders.push_back(folder.string());
    if (!std::filesystem::is_directory(folder, failure)) folders.back() += " (no such folder)";
  }
  const auto there = names();
  return Error(Cause::kPlugin, "no plugin is named '" + std::string(name) + "': no " + file + " in " +
                                   (folders.empty() ? "the empty search path" : joined(folders)) +
                                   "; there is " + (there.empty() ? "none" : joined(there)) +
                                   did_you_mean(name, there));
}

}  // namespace hostmesh
