// The bytes of a session: records of u32 payload length, u64 number of bytes taken so far, payload; little
// endian. Pure.
//
// The length kEndOfSession says that the session is over: nothing will come any more, over no connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "hostmesh/base/result.hpp"
#include "hostmesh/base/secret.hpp"

namespace hostmesh::detail {

inline constexpr std::size_t kRecordHeader = 12;             // bytes
inline constexpr std::size_t kMaxRecordPayload = 256 << 10;  // bytes
// Bytes that may be on their way: written, and not said to have been taken.
inline constexpr std::size_t kSessionWindow = 1 << 20;
inline constexpr std::uint32_t kEndOfSession = 0xffffffff;

using RecordHeader = std::array<std::uint8_t, kRecordHeader>;
RecordHeader encode_record_header(std::uint32_t length, std::uint64_t received);

// What arrived over one of the session's connections, taken apart.
class RecordReader {
 public:
  struct Taken {
    std::size_t payload = 0;                // bytes, moved to the front of what was given
    std::optional<std::uint64_t> received;  // the last that the peer said
    bool end = false;                       // what follows is not looked at
  };
  // Fails on a record that is too long; the connection is of no use then.
  Result<Taken> take(std::span<std::uint8_t> bytes);

 private:
  RecordHeader header_{};
  std::size_t header_size_ = 0;
  std::size_t payload_left_ = 0;
};

}  // namespace hostmesh::detail
