// The bytes on a connection after its handshake: frames of u32 little-endian payload length, u8 kind,
// payload.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hostmesh::detail {

enum class FrameKind : std::uint8_t {
  kControl = 1,  // a whole message
  kBulk = 2,
  kControlFirst = 3,  // a message over kMaxPayload, in pieces; none is empty
  kControlMore = 4,
  kControlLast = 5,
  kBulkFirst = 6,
  kBulkMore = 7,
  kBulkLast = 8,
  kPing = 9,  // no payload; answered with kPong
  kPong = 10,
  kGoodbye = 11,  // why, as text; nothing follows
};

inline constexpr std::size_t kFrameHeader = 5;         // bytes
inline constexpr std::size_t kMaxPayload = 256 << 10;  // bytes, of any frame
inline constexpr std::size_t kMaxGoodbyeText = 1024;   // bytes

}  // namespace hostmesh::detail
