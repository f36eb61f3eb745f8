#include "hostmesh/base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <memory>

#include "hostmesh/base/text.hpp"

namespace hostmesh::log {

namespace {

spdlog::level::level_enum native(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
    case Level::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::warn;
}

Level from_environment() {
  const char* wanted = std::getenv("HOSTMESH_LOG");
  const std::string_view text = wanted == nullptr ? "" : wanted;
  if (text == "debug") return Level::kDebug;
  if (text == "info") return Level::kInfo;
  if (text == "error") return Level::kError;
  if (text == "off") return Level::kOff;
  return Level::kWarning;
}

// Made at the first line that is logged, not at start-up: most children never log.
spdlog::logger& logger() {
  static spdlog::logger* const instance = [] {
    auto* made = new spdlog::logger("hostmesh", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%f hostmesh[%P] %l %v");
    made->set_level(spdlog::level::trace);
    made->flush_on(spdlog::level::trace);
    return made;  // kept until the process ends, so that threads that outlive main may still log
  }();
  return *instance;
}

std::atomic<Level>& level() {
  static std::atomic<Level> current = from_environment();
  return current;
}

constexpr std::size_t kLongestLine = 16 << 10;  // bytes

// One line, whatever it was made of: nobody can put a second one, that looks like ours, behind it.
void line(Level at, std::string_view text) {
  if (!enabled(at)) return;
  const std::string safe = printable(text, kLongestLine);
  logger().log(native(at), spdlog::string_view_t(safe.data(), safe.size()));
}

}  // namespace

void set_level(Level wanted) {
  level() = wanted;
}
bool enabled(Level at) {
  return at >= level().load(std::memory_order_relaxed);
}

void debug(std::string_view text) {
  line(Level::kDebug, text);
}
void info(std::string_view text) {
  line(Level::kInfo, text);
}
void warning(std::string_view text) {
  line(Level::kWarning, text);
}
void error(std::string_view text) {
  line(Level::kError, text);
}

std::string field(std::string_view key, std::string_view value) {
  std::string text = std::string(key) + "=";
  if (!value.empty() && value.find_first_of(" \"\n\t=") == std::string_view::npos)
    return text.append(printable(value));
  text += '"';
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return printable(text) + '"';
}

}  // namespace hostmesh::log
