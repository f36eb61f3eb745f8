// Connection: an ordered, authenticated, duplex stream of messages between two processes.
//
// Made by Listener and dial(), only after both sides proved the key. Belongs to the reactor that made it:
// every call, every callback and the destruction are on that thread, before the reactor's end, and no
// callback runs inside a call. Dropping the last reference aborts without on_close, except after close(),
// which goes on to its end by itself.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/error.hpp"
#include "hostmesh/channel/peer.hpp"

namespace hostmesh {

// Control messages overtake bulk ones; within a class the order is kept. A bulk message over 256 KiB travels
// in pieces between which control messages pass.
enum class SendClass : std::uint8_t { kControl, kBulk };

enum class SendResult : std::uint8_t {
  kQueued,
  kFull,      // the bulk queue is over its limit: not queued; wait for on_drained
  kTooLarge,  // over max_message_bytes(): not queued; the connection is unharmed
  kClosed,    // not queued; on_close says or said why
};

struct CloseReason {
  bool orderly = false;  // one of the two sides closed on purpose, and all that was sent before has arrived
  Cause cause = Cause::kNone;
  std::string text;
  int os_error = 0;  // errno, 0 when none
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  struct Events {
    // The bytes are valid during the call only.
    std::function<void(ByteView message, SendClass send_class)> on_message;
    // Exactly once, last of all callbacks. What the callbacks capture is released then.
    std::function<void(const CloseReason&)> on_close;
    // The bulk queue fell below half its limit after a send() that returned kFull.
    std::function<void()> on_drained;
  };

  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Nothing is read before, not even the peer's end; sending is possible. Once, and not after close().
  void start(Events events);

  // Bulk is kFull while BULK_QUEUE_LIMIT bytes wait. Control is never kFull: when more than
  // CONTROL_QUEUE_LIMIT bytes of it wait, the connection is aborted with a reason that says so.
  SendResult send(SendClass send_class, Bytes message);
  // The largest message that the peer takes.
  std::size_t max_message_bytes() const;
  // Bytes not yet handed to the kernel, frame headers not counted.
  std::size_t queued_bytes(SendClass send_class) const;

  // While paused no on_message runs and nothing more is read, so the peer is held back; its death may go
  // unnoticed too. close() resumes.
  void pause_reading();
  void resume_reading();

  // Sends what is queued, then a goodbye with `text`, waits for the peer's end, then on_close(orderly). What
  // the peer sends meanwhile is still delivered. After `flush_within` it aborts with kTimeout.
  void close(std::string text, Duration flush_within);
  // At once; what is queued is lost. on_close follows from the reactor.
  void abort(Cause cause, std::string text);
  // Calls `done` when all that was queued before is with the kernel, or the connection has closed.
  void flush(std::function<void()> done);

  // The dialler's claim, verified; the same on both ends.
  const PeerClaim& peer() const;
  // What the accepting side calls itself; the same on both ends.
  const std::string& server_identity() const;
  // Of the other end; unix transport only.
  std::optional<PeerCredentials> credentials() const;
  // When anything last came from the peer. ping() makes a peer that is alive send something.
  TimePoint last_received() const;
  void ping();
  // For errors: "unix:@x (pid 12)".
  const std::string& description() const;
  bool is_open() const;

  class Impl;  // in detail/, for those who make connections
  explicit Connection(std::shared_ptr<Impl> impl);

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh
