// FrameReader: takes bytes as they come and gives out messages. Pure: no I/O, no clock; one owner, any
// thread.
#pragma once

#include <array>
#include <optional>

#include "hostmesh/base/result.hpp"
#include "hostmesh/base/secret.hpp"
#include "hostmesh/channel/connection.hpp"
#include "hostmesh/channel/detail/frame.hpp"

namespace hostmesh::detail {

class FrameReader {
 public:
  enum class What : std::uint8_t { kMessage, kPing, kPong, kGoodbye };
  struct Event {
    What what;
    SendClass send_class = SendClass::kControl;  // of a message
    ByteView payload = {};                       // valid until the next call
  };

  explicit FrameReader(std::size_t max_message_bytes) : max_message_bytes_(max_message_bytes) {}

  // Takes from the front of `input` until something is complete; nothing when all of it was taken before
  // that. After an error the stream is lost. Memory held never exceeds about twice the payload bytes
  // received, whatever lengths claim.
  Result<std::optional<Event>> next(ByteView& input);

  // Nothing of an unfinished frame or message is held.
  bool at_boundary() const;
  std::size_t bytes_held() const;

 private:
  struct Assembly {
    Bytes bytes;
    bool open = false;
  };

  void take_header(ByteView& input);
  Result<> begin_frame();
  ByteView take_payload(ByteView& input);
  Event finish_frame(ByteView payload);

  std::size_t max_message_bytes_;
  std::array<std::uint8_t, kFrameHeader> header_{};
  std::size_t header_size_ = 0;
  FrameKind kind_ = FrameKind::kControl;
  std::size_t payload_left_ = 0;  // of the frame whose header is complete
  bool goodbye_seen_ = false;
  Bytes partial_;                       // payload so far of a frame that came in more than one piece
  Bytes complete_;                      // what the last event pointed to
  std::array<Assembly, 2> assemblies_;  // by SendClass
};

}  // namespace hostmesh::detail
