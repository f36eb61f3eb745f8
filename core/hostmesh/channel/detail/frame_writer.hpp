// FrameWriter: holds what waits to be sent and lays it out as gather lists, control before bulk. Pure: no
// I/O, no clock.
//
// A frame that the kernel took in part is always continued first; all else is decided anew for each gather,
// so a control message waits for at most one gather of bulk.
#pragma once

#include <sys/uio.h>

#include <array>
#include <optional>
#include <string>

#include "hostmesh/channel/connection.hpp"
#include "hostmesh/channel/detail/frame.hpp"
#include "hostmesh/channel/detail/message_queue.hpp"

namespace hostmesh::detail {

class FrameWriter {
 public:
  static constexpr std::size_t kMaxBuffers = 64;
  static constexpr std::size_t kMaxGather = 256 << 10;  // bytes; the last frame may reach over it

  enum class Source : std::uint8_t { kControl, kBulk, kPing, kPong, kGoodbye };
  struct Unit {
    Source source;
    bool ends_message;
    std::uint32_t payload;  // bytes
  };
  // One gather list. Lives on the stack of whoever writes; valid until the writer changes.
  struct Gather {
    static constexpr std::size_t kMaxUnits = 256;
    std::array<iovec, kMaxBuffers> buffers;
    std::size_t buffer_count = 0;
    std::size_t bytes = 0;
    std::array<Unit, kMaxUnits> units;
    std::size_t unit_count = 0;
    std::array<std::uint8_t, 32 << 10>
        scratch;  // headers, and messages so small that copying is cheaper than a buffer
    std::size_t scratch_size = 0;
  };

  void push(SendClass send_class, Bytes message);
  void push_ping() { ping_ = true; }
  void push_pong() { pong_ = true; }
  // Goes out after everything else; nothing may be pushed afterwards. Cut to what a goodbye may carry.
  void push_goodbye(std::string text);

  bool empty() const;
  bool goodbye_sent() const { return goodbye_sent_; }
  std::size_t queued_bytes(SendClass send_class) const { return lane(send_class).bytes; }
  // How many messages of the class were ever pushed, and how many of them have been written or dropped.
  std::uint64_t pushed(SendClass send_class) const { return lane(send_class).pushed; }
  std::uint64_t sent(SendClass send_class) const { return lane(send_class).sent; }

  // Fills an empty gather list with what should be written next.
  void plan(Gather& gather) const;
  // `bytes` of what was planned have been written; what they held is released.
  void written(const Gather& gather, std::size_t bytes);
  // Drops everything.
  void clear();

 private:
  struct Lane {
    MessageQueue queue;
    std::size_t offset = 0;  // bytes of the front message in frames that were written completely
    std::size_t bytes = 0;
    std::uint64_t pushed = 0;
    std::uint64_t sent = 0;
  };
  struct Partial {
    Source source;
    std::size_t sent;  // bytes of the frame, header included; not 0
  };
  struct Cursor {
    std::size_t index;
    std::size_t offset;
  };
  using Cursors = std::array<Cursor, 2>;

  const Lane& lane(SendClass send_class) const { return lanes_[std::size_t(send_class)]; }
  // False when the list is full. `skip`: bytes of the frame that were written before.
  static bool add(Gather& gather, Unit unit, FrameKind kind, const std::uint8_t* payload, std::size_t skip);
  bool add_message(Gather& gather, Source source, Cursors& cursors, std::size_t skip) const;
  bool add_plain(Gather& gather, Source source, std::size_t skip) const;
  void complete(const Unit& unit);

  std::array<Lane, 2> lanes_;  // by SendClass
  std::optional<Partial> partial_;
  std::optional<std::string> goodbye_;
  bool goodbye_sent_ = false;
  bool ping_ = false;
  bool pong_ = false;
};

}  // namespace hostmesh::detail
