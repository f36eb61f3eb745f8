#include "hostmesh/plugin/plugins_yaml.hpp"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <sstream>
#include <system_error>
#include <utility>

#include "hostmesh/base/trusted_file.hpp"
#include "hostmesh/plugin/installation.hpp"
#include "hostmesh/plugin/nearest_name.hpp"

namespace hostmesh {

namespace {

using Names = std::vector<std::string>;

// An error in the file. Thrown inside this file only, where it crosses a recursive descent.
struct Complaint {
  FilePosition position;
  std::string text;
};

Error to_error(const std::string& file, FilePosition position, const std::string& text) {
  return Error(Cause::kConfiguration, file + ":" + std::to_string(position.line) + ":" +
                                          std::to_string(position.column) + ": " + text);
}

std::string joined(const Names& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

FilePosition position_of(const YAML::Mark& mark, FilePosition otherwise = {}) {
  if (mark.is_null()) return otherwise;
  return {static_cast<std::size_t>(mark.line) + 1, static_cast<std::size_t>(mark.column) + 1};
}

std::string kind_of(const YAML::Node& node) {
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  if (node.IsScalar()) return "'" + node.Scalar() + "'";
  return "nothing";
}

struct Entry {
  std::string key;
  FilePosition position;
  YAML::Node value;
  FilePosition value_position;  // the key's when there is no value
};

// The entries of a mapping in order; complains of keys that are no text, or are there twice.
std::vector<Entry> entries_of(const YAML::Node& mapping) {
  std::vector<Entry> entries;
  std::map<std::string, FilePosition> seen;
  for (const auto& pair : mapping) {
    const FilePosition position = position_of(pair.first.Mark());
    if (!pair.first.IsScalar() || pair.first.Scalar().empty()) {
      throw Complaint{position, "a key must be a name, not " + kind_of(pair.first)};
    }
    const std::string& key = pair.first.Scalar();
    const auto [first, fresh] = seen.emplace(key, position);
    if (!fresh) {
      throw Complaint{position,
                      "'" + key + "' is there twice, first at line " + std::to_string(first->second.line)};
    }
    const bool nothing = pair.second.IsNull();
    entries.push_back(
        {key, position, pair.second, nothing ? position : position_of(pair.second.Mark(), position)});
  }
  return entries;
}

// `what` is the whole subject, "plugin_path" or "plugin of allocator 'x'".
std::string text_of(const Entry& entry, const std::string& what) {
  if (!entry.value.IsScalar() || entry.value.Scalar().empty()) {
    throw Complaint{entry.value_position, what + " must be a name, not " + kind_of(entry.value)};
  }
  return entry.value.Scalar();
}

[[noreturn]] void unknown_key(const Entry& entry, const std::string& where, const Names& allowed) {
  throw Complaint{entry.position, "unknown key '" + entry.key + "'" + where +
                                      "; allowed: " + joined(allowed) + did_you_mean(entry.key, allowed)};
}

YamlScalar scalar_of(const YAML::Node& node, FilePosition otherwise) {
  YamlScalar scalar;
  scalar.position = position_of(node.Mark(), otherwise);
  scalar.null = node.IsNull();
  if (node.IsScalar()) scalar.text = node.Scalar();
  scalar.plain = node.Tag() != "!" && node.Tag() != "tag:yaml.org,2002:str";
  return scalar;
}

OptionEntry option_of(const Entry& entry) {
  OptionEntry option;
  option.key = entry.key;
  option.key_position = entry.position;
  option.value_position = entry.value_position;
  if (entry.value.IsSequence()) {
    option.kind = OptionEntry::Kind::kList;
    for (const auto& item : entry.value) {
      if (!item.IsScalar() && !item.IsNull()) {
        throw Complaint{position_of(item.Mark(), entry.value_position),
                        "an item of option '" + entry.key + "' must be text, not " + kind_of(item)};
      }
      option.items.push_back(scalar_of(item, entry.value_position));
    }
  } else if (entry.value.IsMap()) {
    option.kind = OptionEntry::Kind::kOther;
  } else {
    option.scalar = scalar_of(entry.value, entry.value_position);
  }
  return option;
}

AllocatorEntry allocator_of(const Entry& entry, const std::string& file) {
  static const Names kAllowed = {"plugin", "options"};
  AllocatorEntry allocator{.name = entry.key, .position = entry.position, .file = file};
  const std::string where = " in allocator '" + entry.key + "'";
  if (!entry.value.IsMap() && !entry.value.IsNull()) {
    throw Complaint{entry.value_position, "allocator '" + entry.key +
                                              "' must be a mapping such as {plugin: process}, not " +
                                              kind_of(entry.value)};
  }
  for (const Entry& each : entries_of(entry.value)) {
    if (each.key == "plugin") {
      allocator.plugin = text_of(each, "plugin" + where);
      allocator.plugin_position = each.value_position;
    } else if (each.key == "options") {
      if (each.value.IsNull()) continue;
      if (!each.value.IsMap()) {
        throw Complaint{each.value_position,
                        "options" + where + " must be a mapping, not " + kind_of(each.value)};
      }
      for (const Entry& option : entries_of(each.value)) allocator.options.push_back(option_of(option));
    } else {
      unknown_key(each, where, kAllowed);
    }
  }
  if (allocator.plugin.empty()) throw Complaint{entry.position, "key 'plugin' is missing" + where};
  return allocator;
}

std::vector<std::filesystem::path> plugin_path_of(const Entry& entry, const std::filesystem::path& base) {
  if (!entry.value.IsSequence()) {
    throw Complaint{entry.value_position,
                    "plugin_path must be a list of folders, not " + kind_of(entry.value)};
  }
  std::vector<std::filesystem::path> folders;
  for (const auto& item : entry.value) {
    if (!item.IsScalar() || item.Scalar().empty()) {
      throw Complaint{position_of(item.Mark(), entry.value_position),
                      "an item of plugin_path must be a folder, not " + kind_of(item)};
    }
    folders.push_back((base / item.Scalar()).lexically_normal());
  }
  return folders;
}

Names names_of(const std::vector<AllocatorEntry>& allocators) {
  Names names;
  for (const AllocatorEntry& each : allocators) names.push_back(each.name);
  return names;
}

PluginsFile file_of(const YAML::Node& root, const std::filesystem::path& file) {
  static const Names kAllowed = {"plugin_path", "default", "allocators"};
  PluginsFile result;
  result.file = file.string();
  if (!root.IsMap()) {
    throw Complaint{position_of(root.Mark()),
                    "expected a mapping with the keys " + joined(kAllowed) + ", not " + kind_of(root)};
  }
  std::error_code ignored;
  const std::filesystem::path base = std::filesystem::absolute(file, ignored).parent_path();
  FilePosition default_position;
  bool allocators = false;
  for (const Entry& entry : entries_of(root)) {
    if (entry.key == "plugin_path") {
      result.plugin_path = plugin_path_of(entry, base);
    } else if (entry.key == "default") {
      result.default_allocator = text_of(entry, "default");
      default_position = entry.value_position;
    } else if (entry.key == "allocators") {
      if (!entry.value.IsMap() || entry.value.size() == 0) {
        throw Complaint{entry.value_position,
                        "allocators must be a mapping of names, not " +
                            (entry.value.IsMap() ? "an empty one" : kind_of(entry.value))};
      }
      allocators = true;
      for (const Entry& each : entries_of(entry.value)) {
        result.allocators.push_back(allocator_of(each, result.file));
      }
    } else {
      unknown_key(entry, "", kAllowed);
    }
  }
  if (!allocators) throw Complaint{position_of(root.Mark()), "key 'allocators' is missing"};
  const Names names = names_of(result.allocators);
  if (result.default_allocator.empty()) {
    if (names.size() == 1) result.default_allocator = names.front();
  } else if (std::find(names.begin(), names.end(), result.default_allocator) == names.end()) {
    throw Complaint{default_position, "default names no allocator: '" + result.default_allocator +
                                          "'; there is: " + joined(names) +
                                          did_you_mean(result.default_allocator, names)};
  }
  return result;
}

std::string written(const OptionEntry& option) {
  switch (option.kind) {
    case OptionEntry::Kind::kList:
      return "a list";
    case OptionEntry::Kind::kOther:
      return "a mapping";
    case OptionEntry::Kind::kScalar:
      break;
  }
  return option.scalar.null ? "nothing" : "'" + option.scalar.text + "'";
}

// The option's value, or a complaint about its type.
OptionValue value_of(const OptionEntry& option, const OptionDescription& declared) {
  const std::string subject = "option '" + option.key + "': ";
  const auto expected = [&](const std::string& what, FilePosition position, const std::string& found) {
    return Complaint{position, subject + "expected " + what + ", not " + found};
  };
  if (declared.type == OptionType::kStringList) {
    if (option.kind != OptionEntry::Kind::kList) {
      throw expected("a list of strings", option.value_position, written(option));
    }
    std::vector<std::string> items;
    for (const YamlScalar& item : option.items) {
      if (item.null) throw expected("a list of strings", item.position, "one with nothing in it");
      items.push_back(item.text);
    }
    return items;
  }
  static const std::map<OptionType, std::string> kArticles = {
      {OptionType::kString, "a string"},
      {OptionType::kInteger, "an integer"},
      {OptionType::kBoolean, "a boolean (true or false)"},
      {OptionType::kDuration, "a duration such as 30s"}};
  const std::string& what = kArticles.at(declared.type);
  if (option.kind != OptionEntry::Kind::kScalar || option.scalar.null) {
    throw expected(what, option.value_position, written(option));
  }
  const bool must_be_plain = declared.type == OptionType::kInteger || declared.type == OptionType::kBoolean;
  if (must_be_plain && !option.scalar.plain) {
    throw expected(what, option.value_position, "the quoted text '" + option.scalar.text + "'");
  }
  auto value = parse_option(declared.type, option.scalar.text);
  if (!value) throw Complaint{option.value_position, subject + value.error().info().message};
  return *std::move(value);
}

OptionValues values_of(const AllocatorEntry& entry, const PluginDescription& plugin) {
  Names keys;
  for (const OptionDescription& each : plugin.options) keys.push_back(each.key);
  OptionValues values;
  for (const OptionEntry& option : entry.options) {
    const auto declared = std::find(keys.begin(), keys.end(), option.key);
    if (declared == keys.end()) {
      throw Complaint{option.key_position, "plugin '" + plugin.name + "' has no option '" + option.key +
                                               "'; " +
                                               (keys.empty() ? "it has none" : "it has: " + joined(keys)) +
                                               did_you_mean(option.key, keys)};
    }
    const auto index = static_cast<std::size_t>(declared - keys.begin());
    values.emplace(option.key, value_of(option, plugin.options[index]));
  }
  for (const OptionDescription& each : plugin.options) {
    if (values.contains(each.key)) continue;
    if (each.required) {
      throw Complaint{entry.position, "allocator '" + entry.name + "' lacks option '" + each.key + "' (" +
                                          std::string(to_string(each.type)) + "), which plugin '" +
                                          plugin.name + "' requires" +
                                          (each.doc.empty() ? "" : ": " + each.doc)};
    }
    if (each.default_value) values.emplace(each.key, *each.default_value);
  }
  return values;
}

}  // namespace

Result<PluginsFile> parse_plugins_yaml(std::string_view text, const std::filesystem::path& file) {
  try {
    const std::vector<YAML::Node> documents = YAML::LoadAll(std::string(text));
    if (documents.size() > 1) {
      throw Complaint{position_of(documents[1].Mark()), "a second document; the file must have one"};
    }
    return file_of(documents.empty() ? YAML::Node() : documents.front(), file);
  } catch (const Complaint& complaint) {
    return to_error(file.string(), complaint.position, complaint.text);
  } catch (const YAML::Exception& failure) {
    return to_error(file.string(), position_of(failure.mark), "this is no YAML: " + failure.msg);
  }
}

Result<PluginsFile> load_plugins_yaml(const std::filesystem::path& file) {
  const auto unreadable = [&](int error) {
    const Cause cause = is_exhaustion(error) ? Cause::kResourceLimit : Cause::kConfiguration;
    return os_error(cause, "cannot read " + file.string(), error);
  };
  std::error_code failure;
  if (std::filesystem::is_directory(file, failure)) return unreadable(EISDIR);
  // It says which programs are run.
  if (auto distrust = why_not_trusted(file)) {
    if (distrust->error_number != 0) return unreadable(distrust->error_number);
    return Error(ErrorInfo{.cause = Cause::kConfiguration,
                           .message = file.string() + " is not used: " + distrust->reason,
                           .hint = std::move(distrust->hint)});
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return unreadable(errno);
  std::ostringstream text;
  text << stream.rdbuf();
  if (stream.bad()) return unreadable(EIO);
  return parse_plugins_yaml(text.str(), file);
}

std::vector<std::filesystem::path> PluginsFile::search_path() const {
  std::vector<std::filesystem::path> folders = plugin_path;
  folders.push_back(installed_plugin_folder());
  return folders;
}

Result<const AllocatorEntry*> PluginsFile::find(std::string_view name) const {
  const std::string_view wanted = name.empty() ? std::string_view(default_allocator) : name;
  for (const AllocatorEntry& each : allocators) {
    if (each.name == wanted) return &each;
  }
  const Names names = names_of(allocators);
  if (wanted.empty()) {
    return Error(Cause::kConfiguration, file + " names no default allocator; there is: " + joined(names));
  }
  return Error(Cause::kConfiguration, file + " has no allocator '" + std::string(wanted) +
                                          "'; there is: " + joined(names) + did_you_mean(wanted, names));
}

Result<std::shared_ptr<Plugin>> find_plugin(PluginRegistry& registry, const AllocatorEntry& entry) {
  auto plugin = registry.find(entry.plugin);
  if (plugin) return plugin;
  ErrorInfo info = plugin.error().info();
  info.message = entry.file + ":" + std::to_string(entry.plugin_position.line) + ":" +
                 std::to_string(entry.plugin_position.column) + ": allocator '" + entry.name +
                 "': " + info.message;
  return Error(std::move(info));
}

Result<OptionValues> validate_options(const AllocatorEntry& entry, const PluginDescription& plugin) {
  try {
    return values_of(entry, plugin);
  } catch (const Complaint& complaint) {
    return to_error(entry.file, complaint.position, complaint.text);
  }
}

std::filesystem::path installed_plugin_folder() {
  return installation_folder() / "lib/hostmesh/plugins";
}

std::filesystem::path default_plugins_file() {
  std::error_code failure;
  std::filesystem::path here = "plugins.yaml";
  if (std::filesystem::exists(here, failure)) return here;
  return installed_plugins_file();
}

std::filesystem::path installed_plugins_file() {
  return installation_folder() / "share/hostmesh/plugins.yaml";
}

}  // namespace hostmesh
