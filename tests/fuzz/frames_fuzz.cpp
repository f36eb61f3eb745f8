// Bytes after the handshake: they give the same messages however they are cut, within the bounds, or the same
// error.
#include <algorithm>
#include <cstdint>
#include <string>

#include "hostmesh/channel/detail/frame_reader.hpp"

namespace {

using namespace hostmesh;

constexpr std::size_t kMaxMessage = 2000;

// What came out, as one text. `cut` bytes at a time, at most.
std::string read_all(ByteView input, std::size_t cut) {
  detail::FrameReader reader(kMaxMessage);
  std::string seen;
  std::size_t received = 0;
  while (!input.empty()) {
    ByteView part = input.first(std::min(cut, input.size()));
    input = input.subspan(part.size());
    received += part.size();
    while (true) {
      const auto next = reader.next(part);
      HOSTMESH_ASSERT(reader.bytes_held() <= 2 * received + 64, "memory follows what was received");
      if (!next) return seen + "!" + next.error().text();
      if (!*next) break;
      HOSTMESH_ASSERT((*next)->payload.size() <= kMaxMessage, "no message is over the bound");
      seen += std::to_string(int((*next)->what)) + std::to_string(int((*next)->send_class)) + ":";
      seen.append((*next)->payload.begin(), (*next)->payload.end());
    }
    HOSTMESH_ASSERT(part.empty(), "all is taken until there is an event");
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data, size);
  const std::string whole = read_all(input, size);
  HOSTMESH_ASSERT(read_all(input, 1) == whole, "the cuts do not matter");
  HOSTMESH_ASSERT(read_all(input, 1 + data[0] % 16) == whole, "the cuts do not matter");
  return 0;
}
