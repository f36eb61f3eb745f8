// Encoded messages: whatever decodes has a stable encoding, and nothing else happens.
#include <cstdint>

#include "../wire/sample_messages.hpp"
#include "hostmesh/wire/codec.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hostmesh;
  const auto value = wire::decode<sample::Everything>(ByteView(data, size));
  if (!value) return 0;
  const Bytes encoded = wire::encode(*value);
  const auto again = wire::decode<sample::Everything>(encoded);
  HOSTMESH_ASSERT(again.has_value(), "what was encoded decodes");
  HOSTMESH_ASSERT(wire::encode(*again) == encoded, "the encoding is stable");
  return 0;
}
