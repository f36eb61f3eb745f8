#include "hostmesh/plugin/description.hpp"

#include <array>
#include <charconv>
#include <utility>

namespace hostmesh {

std::string_view to_string(OptionType type) {
  switch (type) {
    case OptionType::kString:
      return "string";
    case OptionType::kInteger:
      return "integer";
    case OptionType::kBoolean:
      return "boolean";
    case OptionType::kDuration:
      return "duration";
    case OptionType::kStringList:
      return "list of strings";
  }
  return "unknown";
}

namespace {

struct TextOf {
  std::string operator()(const std::string& value) const { return value; }
  std::string operator()(std::int64_t value) const { return std::to_string(value); }
  std::string operator()(bool value) const { return value ? "true" : "false"; }
  std::string operator()(Duration value) const { return hostmesh::to_string(value); }
  std::string operator()(const std::vector<std::string>& value) const {
    std::string text = "[";
    for (const std::string& item : value) text += (text.size() > 1 ? ", " : "") + item;
    return text + "]";
  }
};

Error expected(std::string_view what, std::string_view text) {
  return Error(Cause::kConfiguration, "expected " + std::string(what) + ", not '" + std::string(text) + "'");
}

}  // namespace

std::string to_string(const OptionValue& value) {
  return std::visit(TextOf(), value);
}

Result<OptionValue> parse_option(OptionType type, std::string_view text) {
  switch (type) {
    case OptionType::kString:
      return OptionValue(std::string(text));
    case OptionType::kInteger: {
      std::int64_t value = 0;
      const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (failure == std::errc::result_out_of_range) return expected("an integer of 64 bits", text);
      if (failure != std::errc() || end != text.data() + text.size()) return expected("an integer", text);
      return OptionValue(value);
    }
    case OptionType::kBoolean:
      if (text == "true") return OptionValue(true);
      if (text == "false") return OptionValue(false);
      return expected("a boolean (true or false)", text);
    case OptionType::kDuration: {
      const auto value = parse_duration(text);
      if (!value) return expected("a duration such as 30s, 500ms or 1m30s", text);
      return OptionValue(*value);
    }
    case OptionType::kStringList:
      if (text.empty()) return OptionValue(std::vector<std::string>());
      return OptionValue(std::vector<std::string>{std::string(text)});
  }
  return Error(Cause::kInternal, "an option of no known type");
}

std::vector<std::string> PluginDescription::capability_names() const {
  static constexpr std::array<std::pair<Capability, const char*>, 6> kNames = {{
      {Capability::kSignal, "signal"},
      {Capability::kLocalProcs, "local_procs"},
      {Capability::kSameMachine, "same_machine"},
      {Capability::kOutput, "output"},
      {Capability::kExitStatus, "exit_status"},
      {Capability::kLifeline, "lifeline"},
  }};
  std::vector<std::string> names;
  for (const auto& [capability, text] : kNames) {
    if (can(capability)) names.emplace_back(text);
  }
  return names;
}

}  // namespace hostmesh
