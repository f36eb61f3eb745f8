// The bootstrap protocol: what a launched child and its owner say to each other, before and besides
// everything else, on the connection that the child opens.
//
//   child                         owner
//     |-- Hello ------------------->|     once, the first message
//     |<------------- StartProc ----|     once; or StopAndExit, when it is no longer wanted
//     |-- StartedProc ------------->|
//     |<------------- Heartbeat ----|     while the child runs; each is answered
//     |-- Heartbeat --------------->|
//     |<----------- StopAndExit ----|     stop what runs here, then exit with the code
//     |<------------------ Exit ----|     exit with the code at once
//
// Each is one byte of type and the wire encoding of the struct. docs/protocol.md describes the bytes.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hostmesh/actor/ids.hpp"
#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/secret.hpp"
#include "hostmesh/wire/codec.hpp"

namespace hostmesh::bootstrap {

inline constexpr std::uint32_t kProtocolVersion = 1;

enum class MessageType : std::uint8_t {
  kHello = 1,
  kStartProc = 2,
  kStartedProc = 3,
  kHeartbeat = 4,
  kStopAndExit = 5,
  kExit = 6,
};

struct Hello {
  static constexpr MessageType kType = MessageType::kHello;
  std::uint32_t version = kProtocolVersion;
  std::int64_t pid = 0;  // as the child sees itself
  std::string node;      // its host's name
  ChannelAddr addr;      // where it listens; empty when it does not
};

struct StartProc {
  static constexpr MessageType kType = MessageType::kStartProc;
  ProcId proc_id;          // who the child is from now on
  ChannelAddr owner_addr;  // the owner's own address: it is reached over this connection
  Secret peer_secret;  // proves membership to the other procs of the allocation; all zero when there are none
  std::string mesh;    // the mesh this is for, for messages
};

struct StartedProc {
  static constexpr MessageType kType = MessageType::kStartedProc;
  ProcId proc_id;
  ActorId agent;
  ChannelAddr addr;
};

struct Heartbeat {
  static constexpr MessageType kType = MessageType::kHeartbeat;
};

struct StopAndExit {
  static constexpr MessageType kType = MessageType::kStopAndExit;
  std::int32_t code = 0;
};

struct Exit {
  static constexpr MessageType kType = MessageType::kExit;
  std::int32_t code = 0;
};

template <class M>
Bytes pack(const M& message) {
  Bytes bytes{static_cast<std::uint8_t>(M::kType)};
  wire::encode_into(bytes, message);
  return bytes;
}

// The struct in `bytes`, whose first byte said that it is one.
template <class M>
Result<M> unpack(ByteView bytes) {
  return wire::decode<M>(bytes.subspan(1));
}

// The type of a packed message; 0 is none.
inline MessageType type_of(ByteView bytes) {
  return bytes.empty() ? MessageType{} : MessageType{bytes.front()};
}

// What a child reads from its lifeline before anything else: its identity, and its secret.
struct Payload {
  std::uint32_t version = kProtocolVersion;
  std::string allocation;
  Rank rank = 0;
  Incarnation incarnation = 0;
  Secret key;                  // proves exactly this incarnation
  std::string owner_identity;  // whom the child expects at the address
  std::optional<std::string>
      listen_on;  // a transport to listen on, by name; unset: the owner is its only gate
  std::map<std::string, std::string> config;
};

// magic "HMB1", u32 length, the wire encoding.
Bytes pack_payload(const Payload& payload);
// The one that `bytes` are; anything else is an error.
Result<Payload> unpack_payload(ByteView bytes);
// Reads one from `fd`, which may block; an end of file, garbage or a passed deadline is an error.
Result<Payload> read_payload(int fd, Deadline deadline);

// The environment names of architecture section 6.
inline constexpr const char* kEnvAddr = "HOSTMESH_BOOTSTRAP_ADDR";
inline constexpr const char* kEnvIndex = "HOSTMESH_BOOTSTRAP_INDEX";
inline constexpr const char* kEnvTraceId = "HOSTMESH_CLIENT_TRACE_ID";
inline constexpr const char* kEnvMode = "HOSTMESH_BOOTSTRAP_MODE";
inline constexpr const char* kEnvLogChannel = "HOSTMESH_BOOTSTRAP_LOG_CHANNEL";
inline constexpr const char* kEnvProcessName = "HOSTMESH_PROCESS_NAME";
// What an allocator says of a host for the procs there: the names of variables that they have from the host
// and not from the client, separated by commas; and, with the value `own`, that they start in the host's
// working directory.
inline constexpr const char* kEnvHostVariables = "HOSTMESH_HOST_VARIABLES";
inline constexpr const char* kEnvHostFolder = "HOSTMESH_HOST_FOLDER";
// What every owner calls itself to those who dial it.
inline constexpr const char* kOwnerIdentity = "hostmesh-owner";
// The values of kEnvMode. The payload comes over stdin, which is then the lifeline; the owner is at kEnvAddr.
inline constexpr const char* kModeStdin = "stdin";
// The payload comes over stdin; stdin and stdout are then the connection to the owner, and the lifeline.
inline constexpr const char* kModeStdio = "stdio";

// `base` without our bootstrap names, and with `added` replacing those of the same name.
std::vector<std::string> child_environment(const std::vector<std::string>& base,
                                           const std::vector<std::pair<std::string, std::string>>& added);

}  // namespace hostmesh::bootstrap
