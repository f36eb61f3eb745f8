// SessionCore: one end of a session, over whatever connection it has at the moment.
//
//   state   | connection ends, or is silent | another connection came | grace over, or refused | the peer's
//   end carried | broken                        | carried                 | -                      | over
//   broken  | -                             | carried                 | over                   | -
//   over    | -                             | -                       | -                      | -
//
// The owner's stream is a handle to it. Left by its owner it goes on until the peer has all that was written,
// or for the grace period. It reads whether its owner reads or not, so that what the peer says about the
// session always arrives; what the owner has not taken is at most one window. Reactor thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/channel/detail/byte_queue.hpp"
#include "hostmesh/channel/detail/handshake_messages.hpp"
#include "hostmesh/channel/detail/limits.hpp"
#include "hostmesh/channel/detail/session_records.hpp"
#include "hostmesh/channel/detail/session_wait.hpp"
#include "hostmesh/channel/detail/stream.hpp"
#include "hostmesh/channel/dial.hpp"

namespace hostmesh::detail {

// An attempt to connect again, under way; destruction ends it.
using Redial = std::function<std::unique_ptr<Dial>(
    const SessionName& name, Deadline deadline, std::function<void(Result<std::unique_ptr<Stream>>)> done)>;

class SessionCore final : private StreamEvents, public std::enable_shared_from_this<SessionCore> {
 public:
  // `redial`: the dialler's; null at the listener's end, which waits for the other to come back.
  SessionCore(Reactor& reactor, std::unique_ptr<Stream> first, const SessionName& name, const Limits& limits,
              Redial redial);
  ~SessionCore();
  // Once, when it is shared.
  void begin();

  // The owner's stream; see Stream.
  void set_events(StreamEvents* events) { events_ = events; }
  IoResult read_some(std::span<std::uint8_t> into);
  IoResult write_some(std::span<const iovec> from);
  void await_readable();
  void await_writable();
  const std::string& description() const { return description_; }
  Error failure() const { return failure_; }
  // The owner has gone: the peer gets what was written, then the end.
  void leave();

  // Goes on over `stream`, in place of what carried it so far.
  void resume(std::unique_ptr<Stream> stream);
  bool over() const { return over_; }

 private:
  struct Record {
    RecordHeader header{};
    std::size_t size = 0;  // of the payload, which begins at `written_`
    std::size_t sent = 0;  // bytes of header and payload
    bool open = false;
    bool end = false;
  };

  void on_readable() override;
  void on_writable() override;
  void post(void (SessionCore::*what)());
  void tell_readable();
  void tell_writable();
  void drop_soon(std::unique_ptr<Stream> stream);

  void carry(std::unique_ptr<Stream> stream);
  void break_off(SessionBreak how, std::string why);
  void break_off_read(const IoResult& got);
  void on_redialled(Result<std::unique_ptr<Stream>> stream);
  // No connection will carry this any more.
  void end(Error why);
  void violated(const std::string& how);

  void begin_quarter();
  void on_quarter();

  IoResult receive(std::span<std::uint8_t> into);
  void receive_into_inbox();
  void read_while_leaving();
  bool take_position(std::uint64_t received);
  void taken_by_owner(std::size_t count);

  void push();
  bool plan_record();
  std::size_t payload_sent() const { return record_.sent > kRecordHeader ? record_.sent - kRecordHeader : 0; }
  std::uint64_t end_of_written() const { return acknowledged_ + kept_.size(); }
  bool has_unsent() const;
  bool is_writable() const { return !has_unsent() && kept_.size() < kSessionWindow; }
  void finish_leaving_if_done();

  Reactor& reactor_;
  std::string description_;
  SessionName name_;
  SessionTimes times_;
  Redial redial_;
  std::unique_ptr<Stream> stream_;
  // Fell silent, at the dialler: closed when the peer goes on over another, so that it does not take the end
  // of this one for ours.
  std::unique_ptr<Stream> silent_stream_;
  StreamEvents* events_ = nullptr;

  RecordReader reader_;
  ByteQueue inbox_;                 // arrived, not taken by the owner, and the peer has not been told
  ByteQueue kept_;                  // written by the owner, not yet taken by the peer's
  std::uint64_t acknowledged_ = 0;  // bytes that the peer has taken, of all ever written
  std::uint64_t written_ =
      0;  // bytes given to this connection, or taken by the peer before, in whole records
  std::uint64_t highest_ = 0;   // bytes given to any connection
  std::uint64_t received_ = 0;  // bytes taken by the owner
  std::uint64_t said_ = 0;      // the `received_` that the peer was last told
  Record record_;

  TimePoint last_heard_;
  Timer quarter_timer_;  // a quarter of the silence that is allowed
  int silent_quarters_ = 0;
  bool heard_ = false;  // in this quarter
  bool spoke_ = false;

  std::unique_ptr<Dial> dial_;
  Timer grace_timer_;
  Timer leaving_timer_;
  std::string why_broken_;
  Error failure_;
  bool awaiting_position_ = false;  // resumed, and the peer has not said yet how far it heard
  bool say_now_ = false;
  bool writing_ = false;  // the connection takes no more for now
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool owes_byte_ = false;  // the last that was written
  bool over_ = false;
  bool peer_ended_ = false;
  bool leaving_ = false;
  bool end_sent_ = false;
};

}  // namespace hostmesh::detail
