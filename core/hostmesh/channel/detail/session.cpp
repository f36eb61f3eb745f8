#include "hostmesh/channel/detail/session.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "hostmesh/channel/detail/connection_service.hpp"
#include "hostmesh/channel/detail/session_records.hpp"

namespace hostmesh::detail {

namespace {

constexpr std::size_t kWindow = 1 << 20;  // bytes written that the peer has not said to have
constexpr std::size_t kSayReceived =
    64 << 10;  // bytes received before the peer is told, if nothing else tells it
constexpr std::size_t kMaxInbox = 64 << 10;  // bytes
constexpr std::size_t kReclaim = 64 << 10;   // bytes of the buffer that may lie idle

std::string key_of(const SessionName& name) {
  return std::string(name.begin(), name.end());
}

}  // namespace

// What the stream is a handle to; goes on without it until the peer has all that was written.
class SessionCore final : private StreamEvents, public std::enable_shared_from_this<SessionCore> {
 public:
  SessionCore(Reactor& reactor, std::unique_ptr<Stream> first, const SessionName& name, const Limits& limits,
              Redial redial)
      : reactor_(reactor),
        description_(first->description()),
        name_(name),
        grace_(limits.session_grace),
        redial_(std::move(redial)),
        grace_timer_(reactor) {
    carry(std::move(first));
  }
  ~SessionCore() {
    if (stream_) stream_->set_events(nullptr);
  }

  void set_events(StreamEvents* events) { events_ = events; }
  IoResult read_some(std::span<std::uint8_t> into);
  IoResult write_some(std::span<const iovec> from);
  void await_readable();
  void await_writable();
  const std::string& description() const { return description_; }
  Error failure() const { return failure_; }
  // The connection that comes after a break.
  void resume(std::unique_ptr<Stream> stream);
  // The owner has gone: the peer gets what was written, then the end.
  void leave();
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

  void carry(std::unique_ptr<Stream> stream);
  void break_off(std::string why);
  void on_redialled(Result<std::unique_ptr<Stream>> stream);
  // No connection will carry this any more.
  void end(Error why);
  IoResult receive(std::span<std::uint8_t> into);
  void receive_into_inbox();
  bool take_position(std::uint64_t received);
  void push();
  bool plan_record();
  void read_while_leaving();
  void finish_leaving_if_done();

  std::size_t payload_sent() const { return record_.sent > kRecordHeader ? record_.sent - kRecordHeader : 0; }
  std::size_t kept() const { return kept_.size() - kept_head_; }
  std::uint64_t end_of_written() const { return acknowledged_ + kept(); }

  Reactor& reactor_;
  std::string description_;
  SessionName name_;
  Duration grace_;
  Redial redial_;  // the dialler's
  std::unique_ptr<Stream> stream_;
  StreamEvents* events_ = nullptr;
  RecordReader reader_;

  Bytes inbox_;  // received while the owner did not read
  Bytes kept_;   // written by the owner from `acknowledged_` on
  std::size_t kept_head_ = 0;
  std::uint64_t acknowledged_ = 0;  // bytes that the peer has, of all ever written
  std::uint64_t written_ =
      0;  // bytes that this connection has taken, or the peer had before, in whole records
  std::uint64_t highest_ = 0;   // bytes that any connection was given
  std::uint64_t received_ = 0;  // bytes given to the owner
  std::uint64_t said_ = 0;      // the `received_` that the peer was last told
  Record record_;

  std::unique_ptr<Dial> dial_;
  Timer grace_timer_;
  std::string why_broken_;
  Error failure_;
  bool awaiting_position_ = false;  // resumed, and the peer has not said yet how far it heard
  bool say_now_ = false;
  bool writing_ = false;  // the connection takes no more for now
  bool wants_read_ = false;
  bool wants_write_ = false;
  bool over_ = false;
  bool peer_ended_ = false;
  bool leaving_ = false;
  bool end_sent_ = false;
};

void SessionCore::carry(std::unique_ptr<Stream> stream) {
  stream_ = std::move(stream);
  stream_->set_events(this);
  reader_ = RecordReader();
  record_ = Record();
  writing_ = false;
}

void SessionCore::resume(std::unique_ptr<Stream> stream) {
  if (over_) return;
  grace_timer_.cancel();
  if (stream_) stream_->set_events(nullptr);
  carry(std::move(stream));
  awaiting_position_ = true;
  say_now_ = true;
  end_sent_ = false;
  stream_->await_readable();
  push();
}

void SessionCore::break_off(std::string why) {
  if (over_ || !stream_) return;
  // The answer to our end: the peer has all, or would not take it.
  if (leaving_ && end_sent_) return end(Error());
  stream_->set_events(nullptr);
  // Perhaps called from inside it.
  reactor_.post([dropped = std::shared_ptr<Stream>(std::move(stream_))] {});
  why_broken_ = std::move(why);
  if (grace_ <= Duration::zero()) return end(Error(Cause::kPeerGone, why_broken_));
  const auto deadline = Deadline::after(grace_);
  grace_timer_.at(deadline, [this] {
    end(Error(Cause::kPeerGone,
              why_broken_ + ", and the session was not resumed within " + to_string(grace_)));
  });
  if (!redial_) return;
  dial_ = redial_(name_, deadline,
                  [this](Result<std::unique_ptr<Stream>> stream) { on_redialled(std::move(stream)); });
}

void SessionCore::on_redialled(Result<std::unique_ptr<Stream>> stream) {
  const auto self = shared_from_this();
  const auto finished = std::move(dial_);  // it is what called
  if (stream) return resume(*std::move(stream));
  end(Error(Cause::kPeerGone,
            why_broken_ + ", and the session could not be resumed: " + stream.error().text()));
}

void SessionCore::end(Error why) {
  if (over_) return;
  const auto self = shared_from_this();
  over_ = true;
  failure_ = std::move(why);
  grace_timer_.cancel();
  if (dial_) reactor_.post([dropped = std::shared_ptr<Dial>(std::move(dial_))] {});
  if (stream_) {
    stream_->set_events(nullptr);
    reactor_.post([dropped = std::shared_ptr<Stream>(std::move(stream_))] {});
  }
  kept_ = Bytes();
  kept_head_ = 0;
  if (leaving_) return finish_leaving_if_done();
  post(&SessionCore::tell_readable);
  post(&SessionCore::tell_writable);
}

// False when the peer cannot have got that far, or had got further before.
bool SessionCore::take_position(std::uint64_t received) {
  const std::uint64_t given = written_ + (record_.open ? record_.size : 0);
  if (received < acknowledged_ || received > (awaiting_position_ ? highest_ : given)) return false;
  // The connection may want a byte again that it has sent already.
  if (record_.open && record_.size > 0) received = std::min(received, written_ + payload_sent());
  kept_head_ += received - acknowledged_;
  acknowledged_ = received;
  if (kept_head_ == kept_.size()) {
    kept_.clear();
    kept_head_ = 0;
    if (kept_.capacity() > kReclaim) kept_.shrink_to_fit();
  } else if (kept_head_ > kReclaim && kept_head_ > kept_.size() / 2) {
    kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(kept_head_));
    kept_head_ = 0;
  }
  if (std::exchange(awaiting_position_, false)) written_ = received;
  return true;
}

IoResult SessionCore::read_some(std::span<std::uint8_t> into) {
  if (!inbox_.empty()) {
    const std::size_t count = std::min(inbox_.size(), into.size());
    std::copy_n(inbox_.begin(), count, into.begin());
    inbox_.erase(inbox_.begin(), inbox_.begin() + static_cast<std::ptrdiff_t>(count));
    return {.bytes = count};
  }
  return receive(into);
}

IoResult SessionCore::receive(std::span<std::uint8_t> into) {
  while (true) {
    if (peer_ended_) return {.end = true};
    if (over_) return {.error = EPROTO};
    if (!stream_) return {.error = EAGAIN};
    const IoResult got = stream_->read_some(into);
    if (got.error == EAGAIN) return got;
    if (got.error != 0 || got.end) {
      const Error why = stream_->failure();
      break_off(why.cause() != Cause::kNone ? why.text()
                : got.error != 0            ? description_ + " was lost: " + errno_text(got.error)
                                            : description_ + " ended without goodbye");
      continue;
    }
    const auto taken = reader_.take(into.first(got.bytes));
    if (!taken || (taken->received && !take_position(*taken->received))) {
      end(Error(Cause::kProtocol,
                description_ + " broke the protocol of sessions: " +
                    (taken ? std::string("it has what was never sent") : taken.error().text())));
      continue;
    }
    received_ += taken->payload;
    if (taken->end) {
      peer_ended_ = true;
      end(Error());
    }
    if (received_ - said_ >= kSayReceived) say_now_ = true;
    push();
    if (wants_write_ && kept() < kWindow) post(&SessionCore::tell_writable);
    if (taken->payload > 0) return {.bytes = taken->payload};
  }
}

IoResult SessionCore::write_some(std::span<const iovec> from) {
  if (over_) return {.error = EPIPE};
  std::size_t taken = 0;
  for (const iovec& piece : from) {
    const std::size_t room = kWindow - std::min(kWindow, kept());
    const std::size_t count = std::min(room, piece.iov_len);
    const auto* bytes = static_cast<const std::uint8_t*>(piece.iov_base);
    kept_.insert(kept_.end(), bytes, bytes + count);
    taken += count;
    if (count < piece.iov_len) break;
  }
  push();
  return taken > 0 ? IoResult{.bytes = taken} : IoResult{.error = EAGAIN};
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
      const std::size_t offset = kept_head_ + (written_ + payload_sent() - acknowledged_);
      pieces[count++] = {kept_.data() + offset, record_.size - payload_sent()};
    }
    const IoResult put = stream_->write_some({pieces.data(), count});
    if (put.error != 0 && put.error != EAGAIN) {
      if (leaving_ && acknowledged_ == end_of_written()) return end(Error());
      // The reading side tells, after what is left to read.
      writing_ = true;
      return stream_->await_readable();
    }
    record_.sent += put.bytes;
    if (record_.sent < kRecordHeader + record_.size) {
      writing_ = true;
      return stream_->await_writable();
    }
    written_ += record_.size;
    end_sent_ = end_sent_ || record_.end;
    record_ = Record();
  }
  // Otherwise the peer's end is waited for. One that misses ours comes back, and is told that all is over.
  if (end_sent_ && acknowledged_ == end_of_written()) end(Error());
}

void SessionCore::leave() {
  events_ = nullptr;
  leaving_ = true;
  if (over_) return;
  ConnectionService::of(reactor_).keep(shared_from_this());
  // A peer that takes nothing keeps nobody alive for longer than one that is gone.
  if (stream_) {
    grace_timer_.after(std::max(grace_, Duration(std::chrono::seconds(1))), [this] { end(Error()); });
    stream_->await_readable();
  }
  push();
}

void SessionCore::finish_leaving_if_done() {
  if (leaving_ && over_) ConnectionService::of(reactor_).release(this);
}

void SessionCore::read_while_leaving() {
  std::array<std::uint8_t, 4096> buffer;
  while (!over_) {
    const IoResult got = read_some(buffer);
    if (got.bytes == 0) break;
  }
  if (stream_ && !over_) stream_->await_readable();
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
  if (over_ || kept() < kWindow) return post(&SessionCore::tell_writable);
  // What the peer says to have makes room.
  if (stream_) stream_->await_readable();
}

void SessionCore::on_readable() {
  const auto self = shared_from_this();
  if (leaving_) return read_while_leaving();
  if (wants_read_) return tell_readable();
  if (wants_write_ || awaiting_position_) receive_into_inbox();
}

// The owner does not read, and still wants to know what the peer has got.
void SessionCore::receive_into_inbox() {
  std::array<std::uint8_t, 4096> buffer;
  while (inbox_.size() < kMaxInbox) {
    const IoResult got = receive(buffer);
    if (got.bytes == 0) break;
    inbox_.insert(inbox_.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(got.bytes));
  }
  if (stream_ && inbox_.size() < kMaxInbox && (wants_write_ || awaiting_position_)) stream_->await_readable();
}

void SessionCore::on_writable() {
  const auto self = shared_from_this();
  writing_ = false;
  push();
}

namespace {

class SessionStream final : public Stream {
 public:
  explicit SessionStream(std::shared_ptr<SessionCore> core) : core_(std::move(core)) {}
  ~SessionStream() override { core_->leave(); }
  void set_events(StreamEvents* events) override { core_->set_events(events); }
  IoResult read_some(std::span<std::uint8_t> into) override { return core_->read_some(into); }
  IoResult write_some(std::span<const iovec> from) override { return core_->write_some(from); }
  void await_readable() override { core_->await_readable(); }
  void await_writable() override { core_->await_writable(); }
  std::optional<PeerCredentials> credentials() const override { return std::nullopt; }
  const std::string& description() const override { return core_->description(); }
  Error failure() const override { return core_->failure(); }

 private:
  std::shared_ptr<SessionCore> core_;
};

}  // namespace

bool SessionTable::knows(const SessionName& name, const PeerClaim& claim) const {
  const auto found = entries_.find(key_of(name));
  if (found == entries_.end() || found->second.claim != claim) return false;
  const auto core = found->second.core.lock();
  return core && !core->over();
}

void SessionTable::resume(const SessionName& name, const PeerClaim& claim, std::unique_ptr<Stream> stream) {
  if (!knows(name, claim)) return;
  if (const auto core = entries_.at(key_of(name)).core.lock()) core->resume(std::move(stream));
}

std::unique_ptr<Stream> dialled_session(Reactor& reactor, std::unique_ptr<Stream> first,
                                        const SessionName& name, const Limits& limits, Redial redial) {
  return std::make_unique<SessionStream>(
      std::make_shared<SessionCore>(reactor, std::move(first), name, limits, std::move(redial)));
}

std::unique_ptr<Stream> accepted_session(Reactor& reactor, std::unique_ptr<Stream> first,
                                         const SessionName& name, const PeerClaim& claim,
                                         const Limits& limits, SessionTable& table) {
  auto core = std::make_shared<SessionCore>(reactor, std::move(first), name, limits, nullptr);
  std::erase_if(table.entries_, [](const auto& entry) { return entry.second.core.expired(); });
  table.entries_[key_of(name)] = {claim, core};
  return std::make_unique<SessionStream>(std::move(core));
}

}  // namespace hostmesh::detail
