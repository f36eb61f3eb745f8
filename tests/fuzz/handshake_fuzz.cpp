// Bytes before the handshake is done: bounded, and either an error or a message that encodes to what was
// read.
#include <algorithm>
#include <cstdint>

#include "hostmesh/channel/detail/handshake_messages.hpp"

namespace {

using namespace hostmesh;
using namespace hostmesh::detail;

void decode(HandshakeStep step, ByteView message) {
  const auto begins_with = [message](const Bytes& encoded) {
    // Beyond the header, whose length counts what a later version may add.
    return encoded.size() <= message.size() &&
           std::equal(encoded.begin() + kHandshakeHeader, encoded.end(), message.begin() + kHandshakeHeader);
  };
  switch (step) {
    case HandshakeStep::kClientHello:
      if (const auto hello = decode_client_hello(message)) {
        HOSTMESH_ASSERT(begins_with(encode(*hello)), "a hello encodes to what was read");
        (void)choose_version(hello->versions, kOurVersions);
      }
      break;
    case HandshakeStep::kServerHello:
      if (const auto hello = decode_server_hello(message)) {
        HOSTMESH_ASSERT(begins_with(encode_without_proof(*hello)), "an answer encodes to what was read");
      }
      break;
    case HandshakeStep::kClientFinish:
      if (const auto finish = decode_client_finish(message)) {
        HOSTMESH_ASSERT(begins_with(encode(*finish)), "a proof encodes to what was read");
      }
      break;
  }
}

void read(HandshakeStep step, ByteView input, std::size_t cut) {
  HandshakeReader reader(step);
  while (reader.wanted() > 0 && !input.empty()) {
    const ByteView part = input.first(std::min({cut, input.size(), reader.wanted()}));
    input = input.subspan(part.size());
    if (!reader.take(part)) return;
    HOSTMESH_ASSERT(reader.message().size() + reader.wanted() <= kMaxHandshakeMessage,
                    "a handshake is bounded");
  }
  if (reader.wanted() == 0) decode(step, reader.message());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto step :
       {HandshakeStep::kClientHello, HandshakeStep::kServerHello, HandshakeStep::kClientFinish}) {
    const ByteView input(data, size);
    decode(step, input);
    read(step, input, SIZE_MAX);
    read(step, input, 1);
    // The length corrected, so that mutations get beyond the header.
    if (size < kHandshakeHeader || size > kMaxHandshakeMessage) continue;
    Bytes fixed(input.begin(), input.end());
    fixed[4] = static_cast<std::uint8_t>(size - kHandshakeHeader);
    fixed[5] = static_cast<std::uint8_t>((size - kHandshakeHeader) >> 8);
    decode(step, fixed);
  }
  return 0;
}
