// What is behind a Connection: one protocol engine over any Stream.
//
//   state    | close()          | Goodbye comes       | Goodbye sent and received | end of stream        |
//   abort, violation open     | closing, Goodbye | closing, Goodbye    | -                         | closed
//   (peer gone)   | closed closing  | -                | note it             | closed (orderly)          |
//   closed (orderly only | closed
//            |                  |                     |                           | if all was sent)     |
//   closed   | -                | -                   | -                         | -                    | -
//
// on_close follows each entry into closed, posted, with the callbacks of flush() before it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/channel/connection.hpp"
#include "hostmesh/channel/detail/frame_reader.hpp"
#include "hostmesh/channel/detail/frame_writer.hpp"
#include "hostmesh/channel/detail/handshake_messages.hpp"
#include "hostmesh/channel/detail/limits.hpp"
#include "hostmesh/channel/detail/stream.hpp"

namespace hostmesh {

namespace detail {
class ConnectionService;

// What a handshake leaves behind.
struct Established {
  std::unique_ptr<Stream> stream;
  PeerClaim peer;
  std::string server_identity;
  std::size_t max_send_bytes = 0;  // the other side's max_message_bytes
  std::optional<SessionName> session = std::nullopt;
  bool resumed = false;  // the stream is to carry a session that was there before
};
}  // namespace detail

class Connection::Impl final : public detail::StreamEvents,
                               public std::enable_shared_from_this<Connection::Impl> {
 public:
  Impl(Reactor& reactor, detail::Established established, const detail::Limits& limits);
  static std::shared_ptr<Connection> make(Reactor& reactor, detail::Established established,
                                          const detail::Limits& limits);

  void start(Events events);
  SendResult send(SendClass send_class, Bytes message);
  void pause_reading() { paused_ = true; }
  void resume_reading();
  void close(std::string text, Duration flush_within);
  void finish(CloseReason reason);
  void flush(std::function<void()> done);
  void ping();
  // The last reference to the Connection is gone.
  void drop();

  const detail::FrameWriter& writer() const { return writer_; }
  std::size_t max_send_bytes() const { return max_send_bytes_; }
  const PeerClaim& peer() const { return peer_; }
  const std::string& server_identity() const { return server_identity_; }
  std::optional<PeerCredentials> credentials() const { return credentials_; }
  TimePoint last_received() const { return last_received_; }
  const std::string& description() const { return description_; }
  bool is_open() const { return state_ == State::kOpen; }

 private:
  enum class State : std::uint8_t { kOpen, kClosing, kClosed };
  struct FlushWaiter {
    std::uint64_t control;  // messages of each class that must have been sent
    std::uint64_t bulk;
    std::function<void()> done;
  };

  void on_readable() override;
  void on_writable() override;
  void post(void (Impl::*what)());

  void read_carried();
  // False when reading must stop: closed or paused.
  bool deliver(ByteView input);
  void on_goodbye(ByteView text);
  void on_end(int error);
  bool goodbyes_exchanged() const { return peer_said_goodbye_ && writer_.goodbye_sent(); }

  void schedule_write();
  void write();
  void on_write_failed(int error);
  void after_write();
  void run_flush_waiters();
  void begin_closing(std::string text, Duration bound);

  Reactor& reactor_;
  detail::ConnectionService& service_;
  std::unique_ptr<detail::Stream> stream_;
  detail::FrameReader reader_;
  detail::FrameWriter writer_;
  std::shared_ptr<Events> events_;
  Bytes carried_;  // read but not looked at, because reading was paused
  std::vector<FlushWaiter> flush_waiters_;
  std::unique_ptr<Timer> closing_timer_;
  std::optional<CloseReason> close_reason_;  // closed before start()

  PeerClaim peer_;
  std::string server_identity_;
  std::string description_;
  std::string close_text_;  // of whoever said goodbye first
  std::optional<PeerCredentials> credentials_;
  std::size_t max_send_bytes_;
  std::size_t bulk_limit_;
  std::size_t control_limit_;
  TimePoint last_received_;

  State state_ = State::kOpen;
  bool started_ = false;
  bool paused_ = false;
  bool carried_scheduled_ = false;
  bool write_scheduled_ = false;
  bool awaiting_writable_ = false;
  bool write_broken_ = false;  // the peer takes no more; what it sent before may still be read
  bool bulk_was_full_ = false;
  bool peer_said_goodbye_ = false;
};

}  // namespace hostmesh
