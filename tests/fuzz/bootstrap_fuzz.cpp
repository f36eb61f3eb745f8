// What an owner reads from a child and a child from its owner, after the handshake and from the lifeline.
#include <cstddef>
#include <cstdint>

#include "hostmesh/base/error.hpp"
#include "hostmesh/bootstrap/messages.hpp"
#include "hostmesh/mesh/messages.hpp"

namespace {

using namespace hostmesh;

// What can be read can be written, and reads the same again.
template <class M>
void read_and_write(ByteView bytes) {
  const auto message = wire::decode<M>(bytes);
  if (!message) return;
  const Bytes written = wire::encode(*message);
  const auto again = wire::decode<M>(written);
  HOSTMESH_ASSERT(again && wire::encode(*again) == written, "what was encoded decodes to the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView body = ByteView(data, size).subspan(1);
  switch (bootstrap::type_of(ByteView(data, size))) {
    case bootstrap::MessageType::kHello:
      read_and_write<bootstrap::Hello>(body);
      break;
    case bootstrap::MessageType::kStartProc:
      read_and_write<bootstrap::StartProc>(body);
      break;
    case bootstrap::MessageType::kStartedProc:
      read_and_write<bootstrap::StartedProc>(body);
      break;
    case bootstrap::MessageType::kHeartbeat:
      read_and_write<bootstrap::Heartbeat>(body);
      break;
    case bootstrap::MessageType::kStopAndExit:
      read_and_write<bootstrap::StopAndExit>(body);
      break;
    case bootstrap::MessageType::kExit:
      read_and_write<bootstrap::Exit>(body);
      break;
    default:
      read_and_write<bootstrap::Payload>(body);
      read_and_write<SpawnActor>(body);
      read_and_write<HostReady>(body);
      read_and_write<CreateProcs>(body);
      read_and_write<ProcChanges>(body);
      read_and_write<ProcOutput>(body);
      read_and_write<StopProcs>(body);
      break;
  }
  return 0;
}
