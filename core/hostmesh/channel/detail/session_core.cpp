#include "hostmesh/channel/detail/session_core.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "hostmesh/channel/detail/connection_service.hpp"

namespace hostmesh::detail {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t kSayReceived = 64
                                     << 10;  // bytes taken before the peer is told, if nothing else tells it
constexpr std::size_t kKeep = 64 << 10;      // bytes of buffer that an idle direction may hold on to
constexpr Duration kUnwatchedQuarter = 1s;   // the peer may watch all the same
constexpr Duration kLeastLeaving = 1s;

// Said by the other end of the connection, or on the way to it; all else is found out at this end.
bool is_end(const IoResult& got) {
  return got.end || got.error == ECONNRESET || got.error == EPIPE;
}

}  // namespace

SessionCore::SessionCore(Reactor& reactor, std::unique_ptr<Stream> first, const SessionName& name,
                         const Limits& limits, Redial redial)
    : reactor_(reactor),
      description_(first->description()),
      name_(name),
      times_{.grace = limits.session_grace, .silence = limits.session_silence, .back = limits.session_return},
      redial_(std::move(redial)),
      stream_(std::move(first)),
      inbox_(kKeep),
      kept_(kKeep),
      last_heard_(Clock::now()),
      quarter_timer_(reactor),
      grace_timer_(reactor),
      leaving_timer_(reactor) {}

SessionCore::~SessionCore() {
  if (stream_) stream_->set_events(nullptr);
}

void SessionCore::begin() {
  carry(std::move(stream_));
  begin_quarter();
}

void SessionCore::carry(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  stream_->set_events(this);
  reader_ = RecordReader();
  record_ = Record();
  writing_ = false;
  heard_ = true;
  last_heard_ = Clock::now();
  silent_quarters_ = 0;
  stream_->await_readable();
}

void SessionCore::resume(std::unique_ptr<Stream> stream) {
  if (over_) return;
  grace_timer_.cancel();
  drop_soon(std::move(stream_));
  // It was not said to have arrived, so it comes again.
  inbox_.drop(inbox_.size());
  awaiting_position_ = true;
  say_now_ = true;
  end_sent_ = false;
  carry(std::move(stream));
  push();
}

// Perhaps called from inside it.
void SessionCore::drop_soon(std::unique_ptr<Stream> stream) {
  if (!stream) return;
  stream->set_events(nullptr);
  reactor_.post([dropped = std::shared_ptr<Stream>(std::move(stream))] {});
}

void SessionCore::break_off(SessionBreak how, std::string why) {
  if (over_ || !stream_) return;
  // The answer to our end: the peer has all, or would not take it.
  if (leaving_ && end_sent_) return end(Error());
  const SessionSide side = redial_ ? SessionSide::kDialler : SessionSide::kListener;
  if (how == SessionBreak::kSilent && side == SessionSide::kDialler) {
    drop_soon(std::move(silent_stream_));
    stream_->set_events(nullptr);
    silent_stream_ = std::move(stream_);
  } else {
    drop_soon(std::move(stream_));
  }
  why_broken_ = std::move(why);
  const SessionWait wait = session_wait(side, how, times_, last_heard_, Clock::now());
  grace_timer_.at(wait.until, [this, wait] {
    end(Error(Cause::kPeerGone,
              why_broken_ + ", and the session was not resumed within " + to_string(wait.length) +
                  (wait.since == SessionWait::Since::kBreak ? "" : " of the last sign of life")));
  });
  if (!redial_) return;
  dial_ = redial_(name_, wait.until,
                  [this](Result<std::unique_ptr<Stream>> stream) { on_redialled(std::move(stream)); });
}

void SessionCore::break_off_read(const IoResult& got) {
  const Error why = stream_->failure();
  break_off(is_end(got) ? SessionBreak::kEnded : SessionBreak::kSilent,
            why.cause() != Cause::kNone ? why.text()
            : got.error != 0            ? description_ + " was lost: " + errno_text(got.error)
                                        : description_ + " ended without goodbye");
}

void SessionCore::on_redialled(Result<std::unique_ptr<Stream>> stream) {
  const auto self = shared_from_this();
  const auto finished = std::move(dial_);  // it is what called
  if (stream) return resume(*std::move(stream));
  ErrorInfo last = stream.error().info();
  last.phase.clear();  // it was connected for long
  end(Error(Cause::kPeerGone,
            why_broken_ + ", and the session could not be resumed: " + Error(std::move(last)).text()));
}

void SessionCore::end(Error why) {
  if (over_) return;
  const auto self = shared_from_this();
  over_ = true;
  failure_ = std::move(why);
  grace_timer_.cancel();
  quarter_timer_.cancel();
  leaving_timer_.cancel();
  if (dial_) reactor_.post([dropped = std::shared_ptr<Dial>(std::move(dial_))] {});
  drop_soon(std::move(stream_));
  drop_soon(std::move(silent_stream_));
  kept_.drop(kept_.size());
  if (leaving_) return finish_leaving_if_done();
  post(&SessionCore::tell_readable);
  post(&SessionCore::tell_writable);
}

void SessionCore::violated(const std::string& how) {
  end(Error(Cause::kProtocol, description_ + " broke the protocol of sessions: " + how));
}

void SessionCore::begin_quarter() {
  const Duration quarter =
      times_.silence > Duration::zero() ? times_.silence / kSilenceQuarters : kUnwatchedQuarter;
  quarter_timer_.after(quarter, [this] { on_quarter(); });
}

// Counted in quarters, not taken from a clock: whoever was stopped himself finds one of them over, and has
// the others to hear what waits.
void SessionCore::on_quarter() {
  const auto self = shared_from_this();
  begin_quarter();
  silent_quarters_ = std::exchange(heard_, false) ? 0 : silent_quarters_ + 1;
  if (stream_ && times_.silence > Duration::zero() && silent_quarters_ >= kSilenceQuarters) {
    return break_off(SessionBreak::kSilent,
                     description_ + " has been silent for " + to_string(times_.silence));
  }
  if (!std::exchange(spoke_, false) || received_ != said_) {
    say_now_ = true;
    push();
  }
}

// False when the peer cannot have got that far, or had got further before.
bool SessionCore::take_position(std::uint64_t received) {
  const std::uint64_t given = written_ + (record_.open ? record_.size : 0);
  if (received < acknowledged_ || received > (awaiting_position_ ? highest_ : given)) return false;
  // The connection may want a byte again that it has sent already.
  if (record_.open && record_.size > 0) received = std::min(received, written_ + payload_sent());
  kept_.drop(received - acknowledged_);
  acknowledged_ = received;
  if (!std::exchange(awaiting_position_, false)) return true;
  written_ = received;
  drop_soon(std::move(silent_stream_));
  return true;
}

void SessionCore::taken_by_owner(std::size_t count) {
  received_ += count;
  if (received_ - said_ < kSayReceived) return;
  say_now_ = true;
  push();
}

IoResult SessionCore::read_some(std::span<std::uint8_t> into) {
  const IoResult got = inbox_.empty() ? receive(into) : IoResult{.bytes = inbox_.pop(into)};
  taken_by_owner(got.bytes);
  return got;
}

IoResult SessionCore::receive(std::span<std::uint8_t> into) {
  while (true) {
    if (peer_ended_) return {.end = true};
    if (over_) return {.error = ECONNABORTED};  // failure() says why
    if (!stream_) return {.error = EAGAIN};
    const IoResult got = stream_->read_some(into);
    if (got.error == EAGAIN) return got;
    if (got.error != 0 || got.end) {
      break_off_read(got);
      continue;
    }
    heard_ = true;
    last_heard_ = Clock::now();
    const auto taken = reader_.take(into.first(got.bytes));
    if (!taken) {
      violated(taken.error().text());
    } else if (taken->received && !take_position(*taken->received)) {
      violated("it has what was never sent");
    }
    if (!taken || over_) continue;
    if (taken->end) {
      peer_ended_ = true;
      end(Error());
    }
    push();
    if (taken->payload > 0) return {.bytes = taken->payload};
  }
}

// The owner does not read for now.
void SessionCore::receive_into_inbox() {
  const std::span<std::uint8_t> buffer = ConnectionService::of(reactor_).read_buffer();
  while (stream_) {
    const IoResult got = receive(buffer);
    if (got.bytes == 0) return;
    if (inbox_.size() + got.bytes > kSessionWindow) return violated("it sent more than a window");
    inbox_.push(buffer.first(got.bytes));
  }
}

void SessionCore::read_while_leaving() {
  const std::span<std::uint8_t> buffer = ConnectionService::of(reactor_).read_buffer();
  while (!over_) {
    if (read_some(buffer).bytes == 0) break;
  }
}

// Like the kernel's: what is said to be taken can be forgotten by a process that ends now. So the last byte
// is not owned up to before the connection has it all.
IoResult SessionCore::write_some(std::span<const iovec> from) {
  if (over_) return {.error = EPIPE};
  if (has_unsent()) return {.error = EAGAIN};
  std::size_t taken = 0;
  std::size_t owed = std::exchange(owes_byte_, false) ? 1 : 0;
  for (const iovec& piece : from) {
    const std::size_t room = kSessionWindow - std::min(kSessionWindow, kept_.size());
    const std::size_t wanted = piece.iov_len - owed;
    const std::size_t count = std::min(room, wanted);
    kept_.push({static_cast<const std::uint8_t*>(piece.iov_base) + owed, count});
    taken += std::exchange(owed, 0) + count;
    if (count < wanted) break;
  }
  push();
  if (taken > 0 && has_unsent()) {
    owes_byte_ = true;
    --taken;
  }
  return taken > 0 ? IoResult{.bytes = taken} : IoResult{.error = EAGAIN};
}

bool SessionCore::has_unsent() const {
  return !stream_ || awaiting_position_ || record_.open || written_ < end_of_written();
}

// True when there is a record to go on with.
bool SessionCore::plan_record() {
  if (record_.open) return true;
  const std::size_t left = awaiting_position_ ? 0 : end_of_written() - written_;
  const bool ends = leaving_ && left == 0 && !awaiting_position_ && !end_sent_;
  if (left == 0 && !say_now_ && !ends) return false;
  record_ = Record{.size = std::min(left, kMaxRecordPayload), .open = true, .end = ends};
  record_.header =
      encode_record_header(ends ? kEndOfSession : static_cast<std::uint32_t>(record_.size), received_);
  highest_ = std::max(highest_, written_ + record_.size);
  said_ = received_;
  say_now_ = false;
  return true;
}

void SessionCore::push() {
  while (stream_ && !writing_ && plan_record()) {
    std::array<iovec, 2> pieces;
    std::size_t count = 0;
    if (record_.sent < kRecordHeader) {
      pieces[count++] = {record_.header.data() + record_.sent, kRecordHeader - record_.sent};
    }
    if (payload_sent() < record_.size) {
      const std::size_t offset = written_ + payload_sent() - acknowledged_;
      pieces[count++] = {const_cast<std::uint8_t*>(kept_.data()) + offset, record_.size - payload_sent()};
    }
    const IoResult put = stream_->write_some({pieces.data(), count});
    if (put.error != 0 && put.error != EAGAIN) {
      if (leaving_ && acknowledged_ == end_of_written()) return end(Error());
      // The reading side tells, after what is left to read.
      writing_ = true;
      return;
    }
    spoke_ = spoke_ || put.bytes > 0;
    record_.sent += put.bytes;
    if (record_.sent < kRecordHeader + record_.size) {
      writing_ = true;
      return stream_->await_writable();
    }
    written_ += record_.size;
    end_sent_ = end_sent_ || record_.end;
    record_ = Record();
  }
  if (wants_write_ && is_writable()) post(&SessionCore::tell_writable);
  // Otherwise the peer's end is waited for. One that misses ours comes back, and is told that all is over.
  if (end_sent_ && acknowledged_ == end_of_written()) end(Error());
}

void SessionCore::leave() {
  events_ = nullptr;
  leaving_ = true;
  if (over_) return;
  ConnectionService::of(reactor_).keep(shared_from_this());
  // A peer that takes nothing keeps nobody alive for longer than one that is gone.
  leaving_timer_.after(std::max(times_.grace, kLeastLeaving), [this] { end(Error()); });
  taken_by_owner(inbox_.size());
  inbox_.drop(inbox_.size());
  push();
}

void SessionCore::finish_leaving_if_done() {
  if (leaving_ && over_) ConnectionService::of(reactor_).release(this);
}

void SessionCore::post(void (SessionCore::*what)()) {
  reactor_.post([weak = weak_from_this(), what] {
    const auto self = weak.lock();
    if (self) ((*self).*what)();
  });
}
void SessionCore::tell_readable() {
  if (std::exchange(wants_read_, false) && events_ != nullptr) events_->on_readable();
}
void SessionCore::tell_writable() {
  if (std::exchange(wants_write_, false) && events_ != nullptr) events_->on_writable();
}

void SessionCore::await_readable() {
  wants_read_ = true;
  if (over_ || !inbox_.empty()) return post(&SessionCore::tell_readable);
  if (stream_) stream_->await_readable();
}
void SessionCore::await_writable() {
  wants_write_ = true;
  if (over_ || is_writable()) post(&SessionCore::tell_writable);
}

void SessionCore::on_readable() {
  const auto self = shared_from_this();
  if (leaving_) {
    read_while_leaving();
  } else if (wants_read_) {
    tell_readable();
  } else {
    receive_into_inbox();
  }
  if (stream_) stream_->await_readable();
}

void SessionCore::on_writable() {
  const auto self = shared_from_this();
  writing_ = false;
  push();
}

}  // namespace hostmesh::detail
