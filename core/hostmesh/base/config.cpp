#include "hostmesh/base/config.hpp"

#include <unistd.h>

#include <charconv>
#include <optional>
#include <tuple>

#include "hostmesh/base/log.hpp"

namespace hostmesh {

namespace {

constexpr std::string_view kPrefix = "HOSTMESH_";

// Every attribute, for what needs them all: propagation and checking names.
constexpr auto all_attributes() {
  using namespace attribute;
  return std::make_tuple(kBulkQueueLimit, kControlQueueLimit, kCodecMaxFrameLength, kMaxHalfOpen,
                         kHandshakeTimeout, kTcpInsecure, kTcpTlsLoopback, kSessionSilence, kSessionGrace,
                         kSessionReturn, kTcpBind, kTcpAdvertise, kMessageDeliveryTimeout, kMessageTtl,
                         kLaunchTimeout, kHelloTimeout, kStartTimeout, kHeartbeatTimeout, kOwnerTimeout,
                         kProcessExitTimeout, kKillTimeout, kOutputDrainTimeout, kLaunchConcurrency,
                         kPdeathsig, kTailLogLines, kPluginLoadTimeout, kStopActorTimeout, kWorkerThreads,
                         kHostSpawnReadyTimeout, kProcSpawnMaxIdle, kProcStopMaxIdle, kGetProcStateMaxIdle,
                         kActorSpawnMaxIdle, kTerminateTimeout, kTerminateConcurrency);
}

template <class T>
std::optional<T> parse(std::string_view text);

template <>
std::optional<Duration> parse<Duration>(std::string_view text) {
  const auto duration = parse_duration(text);
  return duration ? std::optional(*duration) : std::nullopt;
}

template <>
std::optional<std::uint64_t> parse<std::uint64_t>(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

template <>
std::optional<bool> parse<bool>(std::string_view text) {
  if (text == "1" || text == "true") return true;
  if (text == "0" || text == "false") return false;
  return std::nullopt;
}

template <>
std::optional<std::string_view> parse<std::string_view>(std::string_view text) {
  return text;
}

// Calls visit(attribute) for the one of that name; false when there is none.
template <class Visit>
bool visit_attribute(std::string_view name, Visit visit) {
  return std::apply(
      [&](const auto&... each) { return ((each.name == name ? (visit(each), true) : false) || ...); },
      all_attributes());
}

constexpr std::size_t index(ConfigLayer layer) {
  return static_cast<std::size_t>(layer);
}

}  // namespace

Config::Config(const char* const* environment) {
  if (environment == nullptr) return;
  for (; *environment != nullptr; ++environment) {
    const std::string_view entry = *environment;
    const std::size_t equals = entry.find('=');
    if (!entry.starts_with(kPrefix) || equals == std::string_view::npos) continue;
    layers_[index(ConfigLayer::kEnv)].emplace(entry.substr(kPrefix.size(), equals - kPrefix.size()),
                                              entry.substr(equals + 1));
  }
}

Config Config::from_process_environment() {
  return Config(::environ);
}

Config::Config(const Config& other) {
  const std::lock_guard lock(other.mutex_);
  layers_ = other.layers_;
}

template <class T>
T Config::read(const Attribute<T>& attribute) const {
  for (std::size_t layer = kConfigLayers; layer-- > 0;) {
    const auto found = layers_[layer].find(attribute.name);
    if (found == layers_[layer].end()) continue;
    if (const auto value = parse<T>(found->second)) return *value;
    if (!std::exchange(warned_[std::string(attribute.name)], true)) {
      log::warning("configuration value ignored: not of its type " + log::field("name", attribute.name) +
                   " " + log::field("value", found->second));
    }
  }
  return attribute.fallback;
}

Duration Config::get(const Attribute<Duration>& attribute) const {
  const std::lock_guard lock(mutex_);
  return read(attribute);
}
std::uint64_t Config::get(const Attribute<std::uint64_t>& attribute) const {
  const std::lock_guard lock(mutex_);
  return read(attribute);
}
bool Config::get(const Attribute<bool>& attribute) const {
  const std::lock_guard lock(mutex_);
  return read(attribute);
}
std::string Config::get(const Attribute<std::string_view>& attribute) const {
  const std::lock_guard lock(mutex_);
  return std::string(read(attribute));
}

void Config::write(ConfigLayer layer, std::string_view name, std::string value) {
  const std::lock_guard lock(mutex_);
  layers_[index(layer)].insert_or_assign(std::string(name), std::move(value));
}

void Config::set(ConfigLayer layer, const Attribute<Duration>& attribute, Duration value) {
  write(layer, attribute.name, to_string(value));
}
void Config::set(ConfigLayer layer, const Attribute<std::uint64_t>& attribute, std::uint64_t value) {
  write(layer, attribute.name, std::to_string(value));
}
void Config::set(ConfigLayer layer, const Attribute<bool>& attribute, bool value) {
  write(layer, attribute.name, value ? "1" : "0");
}
void Config::set(ConfigLayer layer, const Attribute<std::string_view>& attribute, std::string_view value) {
  write(layer, attribute.name, std::string(value));
}

Result<> Config::set_text(ConfigLayer layer, std::string_view name, std::string_view value) {
  bool valid = false;
  const bool known =
      visit_attribute(name, [&]<class T>(const Attribute<T>&) { valid = parse<T>(value).has_value(); });
  if (!known) return Error(Cause::kConfiguration, "no configuration attribute is named " + std::string(name));
  if (!valid) {
    return Error(Cause::kConfiguration,
                 "'" + std::string(value) + "' is not a value for " + std::string(name));
  }
  write(layer, name, std::string(value));
  return {};
}

void Config::clear(ConfigLayer layer) {
  const std::lock_guard lock(mutex_);
  layers_[index(layer)].clear();
}

std::map<std::string, std::string> Config::propagated() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, std::string> snapshot;
  for (const auto& layer : layers_) {  // lowest first, so that the highest stays
    for (const auto& [name, value] : layer) {
      // Named captures: older clang does not capture structured bindings by itself.
      visit_attribute(name, [&snapshot, &name = name, &value = value](const auto& attribute) {
        if (attribute.propagate) snapshot[name] = value;
      });
    }
  }
  return snapshot;
}

void Config::install_from_parent(const std::map<std::string, std::string>& snapshot) {
  const std::lock_guard lock(mutex_);
  auto& layer = layers_[index(ConfigLayer::kClientOverride)];
  const auto& environment = layers_[index(ConfigLayer::kEnv)];
  for (const auto& [name, value] : snapshot) {
    layer.insert_or_assign(name, value);
    const auto masking = environment.find(name);
    if (masking != environment.end() && masking->second != value) {
      log::info("the environment masks a client's value " + log::field("name", name) + " " +
                log::field("environment", masking->second) + " " + log::field("client", value));
    }
  }
}

}  // namespace hostmesh
