// Logging: structured key=value lines on stderr. Output of children never goes through it.
#pragma once

#include <string>
#include <string_view>

namespace hostmesh::log {

enum class Level { kDebug, kInfo, kWarning, kError, kOff };

// Process-wide because stderr is; the default is kWarning, or what HOSTMESH_LOG names (debug, info, warning,
// error, off).
void set_level(Level level);
bool enabled(Level level);

// Each takes a finished line, "what happened key=value key=value". It is escaped (see printable()) and cut at
// 16 KiB. Any thread.
void debug(std::string_view line);
void info(std::string_view line);
void warning(std::string_view line);
void error(std::string_view line);

// "key=value", the value quoted when it has spaces or quotes.
std::string field(std::string_view key, std::string_view value);

}  // namespace hostmesh::log
