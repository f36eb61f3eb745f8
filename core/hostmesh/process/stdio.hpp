// What a launched process has as its standard streams, and the names of the two it writes to.
#pragma once

#include <cstdint>
#include <string_view>

namespace hostmesh {

enum class StdioMode : std::uint8_t {
  kNull,     // /dev/null
  kPipe,     // a pipe whose other end the parent holds
  kSocket,   // stdin and stdout together: one socket, whose other end the parent holds
  kStdout,   // stderr only: what stdout is
  kInherit,  // the parent's own; /dev/null where the parent has none open
};

// What a child writes to.
enum class Stream : std::uint8_t { kStdout = 1, kStderr = 2 };

// "stdout", "stderr".
constexpr std::string_view to_string(Stream stream) {
  return stream == Stream::kStdout ? "stdout" : "stderr";
}

}  // namespace hostmesh
