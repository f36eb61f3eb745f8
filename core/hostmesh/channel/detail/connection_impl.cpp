#include "hostmesh/channel/detail/connection_impl.hpp"

#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "hostmesh/channel/detail/connection_service.hpp"

namespace hostmesh {

namespace {

using namespace std::chrono_literals;

// Reads and gathers of one connection in a row, before others get their turn.
constexpr int kReadsPerTurn = 4;
constexpr int kGathersPerTurn = 4;
// How long we go on sending what is queued after the peer said goodbye; the peer has a bound of its own.
constexpr Duration kAnswerGoodbyeWithin = 30s;

// Or cannot be reached any more, which is all that can be known of the peer then.
bool means_peer_gone(int error) {
  return error == ECONNRESET || error == EPIPE || error == ETIMEDOUT || error == EHOSTUNREACH ||
         error == ENETUNREACH;
}

}  // namespace

Connection::Impl::Impl(Reactor& reactor, detail::Established established, const detail::Limits& limits)
    : reactor_(reactor),
      service_(detail::ConnectionService::of(reactor)),
      stream_(std::move(established.stream)),
      reader_(limits.max_message_bytes),
      peer_(std::move(established.peer)),
      server_identity_(std::move(established.server_identity)),
      description_(stream_->description()),
      credentials_(stream_->credentials()),
      max_send_bytes_(established.max_send_bytes),
      bulk_limit_(limits.bulk_queue_bytes),
      control_limit_(limits.control_queue_bytes),
      last_received_(Clock::now()) {
  stream_->set_events(this);
}

std::shared_ptr<Connection> Connection::Impl::make(Reactor& reactor, detail::Established established,
                                                   const detail::Limits& limits) {
  return std::make_shared<Connection>(std::make_shared<Impl>(reactor, std::move(established), limits));
}

void Connection::Impl::post(void (Impl::*what)()) {
  boost::asio::post(io_context_of(reactor_), [weak = weak_from_this(), what] {
    const auto self = weak.lock();
    if (self) ((*self).*what)();
  });
}

void Connection::Impl::start(Events events) {
  if (started_) return;
  started_ = true;
  events_ = std::make_shared<Events>(std::move(events));
  if (state_ != State::kClosed) {
    if (!paused_) stream_->await_readable();
  } else if (close_reason_) {
    boost::asio::post(io_context_of(reactor_),
                      [told = std::exchange(events_, nullptr), reason = *std::move(close_reason_)] {
                        if (told->on_close) told->on_close(reason);
                      });
  }
}

SendResult Connection::Impl::send(SendClass send_class, Bytes message) {
  if (state_ != State::kOpen || write_broken_) return SendResult::kClosed;
  if (message.size() > max_send_bytes_) return SendResult::kTooLarge;
  if (send_class == SendClass::kBulk && writer_.queued_bytes(SendClass::kBulk) >= bulk_limit_) {
    bulk_was_full_ = true;
    return SendResult::kFull;
  }
  writer_.push(send_class, std::move(message));
  if (writer_.queued_bytes(SendClass::kControl) > control_limit_) {
    finish({.cause = Cause::kResourceLimit,
            .text = description_ + " does not take what is sent to it: over " +
                    std::to_string(control_limit_) + " bytes of control messages wait"});
    return SendResult::kClosed;
  }
  schedule_write();
  return SendResult::kQueued;
}

void Connection::Impl::ping() {
  if (state_ != State::kOpen || write_broken_) return;
  writer_.push_ping();
  schedule_write();
}

void Connection::Impl::resume_reading() {
  if (!std::exchange(paused_, false) || state_ == State::kClosed || !started_) return;
  if (!std::exchange(carried_scheduled_, true)) post(&Impl::read_carried);
}

void Connection::Impl::read_carried() {
  carried_scheduled_ = false;
  if (paused_ || state_ == State::kClosed) return;
  const Bytes carried = std::exchange(carried_, Bytes());
  if (deliver(carried)) stream_->await_readable();
}

void Connection::Impl::on_readable() {
  if (paused_ || state_ == State::kClosed) return;  // resume_reading() asks again
  const auto self = shared_from_this();
  const std::span<std::uint8_t> buffer = service_.read_buffer();
  for (int i = 0; i < kReadsPerTurn; ++i) {
    const detail::IoResult got = stream_->read_some(buffer);
    if (got.error == EAGAIN) break;
    if (got.error != 0 || got.end) return on_end(got.error);
    last_received_ = Clock::now();
    if (!deliver(buffer.first(got.bytes))) return;
    if (got.bytes < buffer.size()) break;
  }
  stream_->await_readable();
}

bool Connection::Impl::deliver(ByteView input) {
  const auto events = events_;
  while (true) {
    auto next = reader_.next(input);
    if (!next) {
      finish(
          {.cause = Cause::kProtocol, .text = description_ + " broke the protocol: " + next.error().text()});
      return false;
    }
    if (!*next) return true;
    switch ((*next)->what) {
      case detail::FrameReader::What::kMessage:
        if (events->on_message) events->on_message((*next)->payload, (*next)->send_class);
        break;
      case detail::FrameReader::What::kPing:
        if (state_ == State::kOpen) writer_.push_pong();
        schedule_write();
        break;
      case detail::FrameReader::What::kPong:
        break;
      case detail::FrameReader::What::kGoodbye:
        on_goodbye((*next)->payload);
        break;
    }
    if (state_ == State::kClosed) return false;
    if (paused_) {
      carried_.assign(input.begin(), input.end());
      return false;
    }
  }
}

void Connection::Impl::on_goodbye(ByteView text) {
  peer_said_goodbye_ = true;
  if (state_ == State::kOpen) {
    begin_closing("", kAnswerGoodbyeWithin);
    close_text_.assign(text.begin(), text.end());
  }
  after_write();
}

void Connection::Impl::on_end(int error) {
  const bool expected = peer_said_goodbye_ || writer_.goodbye_sent();
  if (expected && writer_.empty() && !write_broken_ && (error == 0 || means_peer_gone(error))) {
    return finish({.orderly = true, .text = close_text_});
  }
  std::string text = description_;
  const Error why = stream_->failure();
  if (why.cause() != Cause::kNone) {
    text = why.text();
  } else if (error != 0) {
    text += " was lost: " + errno_text(error);
  } else if (peer_said_goodbye_) {
    text += " closed before it took all that was sent to it";
  } else {
    text += reader_.at_boundary() ? " ended without goodbye" : " ended in the middle of a message";
  }
  const Cause cause = why.cause() != Cause::kNone            ? why.cause()
                      : error == 0 || means_peer_gone(error) ? Cause::kPeerGone
                                                             : Cause::kIo;
  // What the stream says of itself needs no errno; its own stands for none.
  const int os_error = why.cause() != Cause::kNone ? why.info().os_error : error;
  finish({.cause = cause, .text = std::move(text), .os_error = os_error});
}

void Connection::Impl::schedule_write() {
  if (state_ == State::kClosed || write_scheduled_ || awaiting_writable_ || write_broken_) return;
  write_scheduled_ = true;
  post(&Impl::write);
}

void Connection::Impl::on_writable() {
  const auto self = shared_from_this();
  awaiting_writable_ = false;
  if (!write_scheduled_) write();
}

void Connection::Impl::write() {
  write_scheduled_ = false;
  if (state_ == State::kClosed || write_broken_ || awaiting_writable_) return;
  for (int i = 0; i < kGathersPerTurn && !writer_.empty() && !awaiting_writable_; ++i) {
    detail::FrameWriter::Gather gather;
    writer_.plan(gather);
    const detail::IoResult put = stream_->write_some({gather.buffers.data(), gather.buffer_count});
    if (put.error != 0 && put.error != EAGAIN) return on_write_failed(put.error);
    writer_.written(gather, put.bytes);
    awaiting_writable_ = put.bytes < gather.bytes;
  }
  if (awaiting_writable_) {
    stream_->await_writable();
  } else if (!writer_.empty()) {
    schedule_write();
  }
  after_write();
}

void Connection::Impl::on_write_failed(int error) {
  write_broken_ = true;
  writer_.clear();
  if (means_peer_gone(error))
    return run_flush_waiters();  // the reading side tells, after what is left to read
  if (const Error why = stream_->failure(); why.cause() != Cause::kNone) {
    return finish({.cause = why.cause(), .text = why.text(), .os_error = why.info().os_error});
  }
  finish({.cause = Cause::kIo,
          .text = "writing to " + description_ + " failed: " + errno_text(error),
          .os_error = error});
}

void Connection::Impl::after_write() {
  run_flush_waiters();
  if (state_ == State::kClosed) return;
  if (goodbyes_exchanged()) return finish({.orderly = true, .text = close_text_});
  if (bulk_was_full_ && writer_.queued_bytes(SendClass::kBulk) < (bulk_limit_ + 1) / 2) {
    bulk_was_full_ = false;
    const auto events = events_;
    if (events && events->on_drained && state_ == State::kOpen) events->on_drained();
  }
}

void Connection::Impl::flush(std::function<void()> done) {
  if (state_ == State::kClosed) return reactor_.post(std::move(done));
  flush_waiters_.push_back(
      {writer_.pushed(SendClass::kControl), writer_.pushed(SendClass::kBulk), std::move(done)});
  post(&Impl::run_flush_waiters);
}

void Connection::Impl::run_flush_waiters() {
  while (!flush_waiters_.empty()) {
    const FlushWaiter& first = flush_waiters_.front();
    if (writer_.sent(SendClass::kControl) < first.control || writer_.sent(SendClass::kBulk) < first.bulk)
      return;
    const auto done = std::move(flush_waiters_.front().done);
    flush_waiters_.erase(flush_waiters_.begin());
    done();
  }
}

void Connection::Impl::close(std::string text, Duration flush_within) {
  if (state_ != State::kOpen) return;
  close_text_ = text;
  begin_closing(std::move(text), flush_within);
  resume_reading();
  if (!started_) start({});
}

void Connection::Impl::begin_closing(std::string text, Duration bound) {
  state_ = State::kClosing;
  service_.keep(shared_from_this());
  writer_.push_goodbye(std::move(text));
  closing_timer_ = std::make_unique<Timer>(reactor_);
  closing_timer_->after(bound, [this, bound] {
    finish(
        {.cause = Cause::kTimeout,
         .text = description_ + " did not take what was queued and say goodbye within " + to_string(bound)});
  });
  schedule_write();
}

void Connection::Impl::finish(CloseReason reason) {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  const auto self = shared_from_this();
  stream_.reset();
  writer_.clear();
  carried_ = Bytes();
  closing_timer_.reset();
  service_.release(this);
  auto told = std::exchange(events_, nullptr);
  if (!told) close_reason_ = reason;
  boost::asio::post(io_context_of(reactor_), [told = std::move(told), reason = std::move(reason),
                                              waiters = std::exchange(flush_waiters_, {})] {
    for (const FlushWaiter& waiter : waiters) waiter.done();
    if (told && told->on_close) told->on_close(reason);
  });
}

void Connection::Impl::drop() {
  if (state_ != State::kOpen) return;
  const auto released = std::exchange(events_, nullptr);
  finish({.cause = Cause::kCancelled, .text = "dropped"});
}

}  // namespace hostmesh
