// What a plugin says about itself, and the values of its options after validation. Plain values, any thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "hostmesh/base/deadline.hpp"

namespace hostmesh {

enum class OptionType : std::uint8_t {
  kString = 1,
  kInteger = 2,
  kBoolean = 3,
  kDuration = 4,
  kStringList = 5
};

// "string", "integer", "boolean", "duration", "list of strings".
std::string_view to_string(OptionType type);

using OptionValue = std::variant<std::string, std::int64_t, bool, Duration, std::vector<std::string>>;
using OptionValues = std::map<std::string, OptionValue>;

// As one would write it in plugins.yaml: text, 8, true, 1m30s, [a, b].
std::string to_string(const OptionValue& value);

// The value that `text` is for this type; an error that says what was expected. A list is one item, or empty.
Result<OptionValue> parse_option(OptionType type, std::string_view text);

struct OptionDescription {
  std::string key;
  OptionType type = OptionType::kString;
  bool required = false;
  std::optional<OptionValue> default_value;
  std::string doc;  // one sentence
};

enum class Capability : std::uint64_t {
  kSignal = 1U << 0,       // signal() reaches the child and its process group
  kLocalProcs = 1U << 1,   // launches are procs inside this process
  kSameMachine = 1U << 2,  // launches are processes on this machine
  kOutput = 1U << 3,       // what children write arrives
  kExitStatus = 1U << 4,   // children's true exit codes and signals arrive
  kLifeline = 1U << 5,     // children's stdin ends when this process dies
};

struct PluginDescription {
  std::string name;
  std::string version;
  std::string summary;             // one sentence, may be empty
  std::uint64_t capabilities = 0;  // bits of Capability; unknown ones are kept
  std::vector<OptionDescription> options;
  std::uint32_t abi_version = 0;
  std::filesystem::path file;

  bool can(Capability capability) const {
    return (capabilities & static_cast<std::uint64_t>(capability)) != 0;
  }
  // Stable names in the order of their bits: "signal", "local_procs", "same_machine", "output",
  // "exit_status", "lifeline".
  std::vector<std::string> capability_names() const;
};

}  // namespace hostmesh
