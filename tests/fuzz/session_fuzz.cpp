// What a peer sends in a session: its owner gets what a plain reading of the records gives, or the beginning
// of that; anything else is an error. The first byte says how the rest comes: in which pieces, and whether
// the owner reads.
#include <algorithm>
#include <cerrno>
#include <cstdint>

#include "hostmesh/channel/detail/session.hpp"

namespace {

using namespace hostmesh;
using namespace hostmesh::detail;

constexpr std::size_t kSent = 64;  // bytes that the peer may say to have

// The network.
class Input final : public Stream {
 public:
  Input(ByteView bytes, std::size_t cut, Input** self) : bytes_(bytes), cut_(cut), self_(self) {
    *self_ = this;
  }
  ~Input() override { *self_ = nullptr; }
  // False when nothing more comes.
  bool come() {
    if (bytes_.empty() || events_ == nullptr) return false;
    left_ = std::min(cut_, bytes_.size());
    events_->on_readable();
    return true;
  }
  void end() {
    ended_ = true;
    if (events_ != nullptr) events_->on_readable();
  }
  void set_events(StreamEvents* events) override { events_ = events; }
  IoResult read_some(std::span<std::uint8_t> into) override {
    if (ended_) return {.end = true};
    const std::size_t count = std::min(left_, into.size());
    if (count == 0) return {.error = EAGAIN};
    std::copy_n(bytes_.begin(), count, into.begin());
    bytes_ = bytes_.subspan(count);
    left_ -= count;
    return {.bytes = count};
  }
  IoResult write_some(std::span<const iovec> from) override {
    std::size_t all = 0;
    for (const iovec& piece : from) all += piece.iov_len;
    return {.bytes = all};
  }
  void await_readable() override {}
  void await_writable() override {}
  std::optional<PeerCredentials> credentials() const override { return std::nullopt; }
  const std::string& description() const override { return description_; }

 private:
  ByteView bytes_;
  std::size_t cut_;
  Input** self_;
  std::size_t left_ = 0;
  bool ended_ = false;
  StreamEvents* events_ = nullptr;
  std::string description_ = "the fuzzer";
};

struct Outcome {
  Bytes payload;
  enum class End : std::uint8_t { kNone, kOrderly, kError } end = End::kNone;
  bool operator==(const Outcome&) const = default;
};

Outcome expected(ByteView input) {
  Outcome outcome;
  std::uint64_t position = 0;
  while (input.size() >= kRecordHeader) {
    std::uint64_t length = 0;
    std::uint64_t taken = 0;
    for (std::size_t i = 0; i < 4; ++i) length |= std::uint64_t(input[i]) << (8 * i);
    for (std::size_t i = 4; i < kRecordHeader; ++i) taken |= std::uint64_t(input[i]) << (8 * (i - 4));
    input = input.subspan(kRecordHeader);
    const bool ends = length == kEndOfSession;
    if (taken < position || taken > kSent || (!ends && length > kMaxRecordPayload)) {
      outcome.end = Outcome::End::kError;
      return outcome;
    }
    position = taken;
    if (ends) {
      outcome.end = Outcome::End::kOrderly;
      return outcome;
    }
    const ByteView payload = input.first(std::min<std::size_t>(length, input.size()));
    outcome.payload.insert(outcome.payload.end(), payload.begin(), payload.end());
    input = input.subspan(payload.size());
  }
  return outcome;
}

// The owner of the session.
class Owner final : public StreamEvents {
 public:
  explicit Owner(Stream& stream) : stream_(stream) { stream_.set_events(this); }
  void on_readable() override {
    read_all();
    stream_.await_readable();
  }
  void on_writable() override {}
  void read_all() {
    std::array<std::uint8_t, 100> buffer;
    while (true) {
      const IoResult got = stream_.read_some(buffer);
      outcome.payload.insert(outcome.payload.end(), buffer.begin(),
                             buffer.begin() + static_cast<std::ptrdiff_t>(got.bytes));
      if (got.end) outcome.end = Outcome::End::kOrderly;
      if (got.error != 0 && got.error != EAGAIN) outcome.end = Outcome::End::kError;
      if (got.bytes == 0) return;
    }
  }
  Outcome outcome;

 private:
  Stream& stream_;
};

Outcome received(ByteView input, std::size_t cut, bool paused) {
  static Reactor reactor;
  static const Limits limits{Config()};
  Input* network = nullptr;
  Outcome outcome;
  {
    SessionTable table;
    const auto stream = accepted_session(reactor, std::make_unique<Input>(input, cut, &network),
                                         SessionName{}, PeerClaim{}, limits, table);
    const Bytes sent(kSent);
    const iovec piece{const_cast<std::uint8_t*>(sent.data()), sent.size()};
    HOSTMESH_ASSERT(stream->write_some({&piece, 1}).bytes == kSent, "there is room");
    Owner owner(*stream);
    if (!paused) stream->await_readable();
    while (network->come()) {
    }
    owner.read_all();
    outcome = std::move(owner.outcome);
  }
  network->end();
  reactor.post([] { reactor.stop(); });
  reactor.run();
  HOSTMESH_ASSERT(network == nullptr, "nothing is left");
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input(data + 1, size - 1);
  const bool paused = (data[0] & 1) != 0;
  const Outcome all = expected(input);
  HOSTMESH_ASSERT(received(input, 1, paused) == all, "byte by byte there is no doubt");
  // In larger pieces the payload before an error may be lost with it, and only the last position counts.
  const Outcome some = received(input, 1 + data[0] / 2, paused);
  const std::size_t common = std::min(some.payload.size(), all.payload.size());
  HOSTMESH_ASSERT(std::equal(some.payload.begin(), some.payload.begin() + static_cast<std::ptrdiff_t>(common),
                             all.payload.begin()),
                  "the same bytes");
  HOSTMESH_ASSERT(all.end == Outcome::End::kError || some == all, "what is correct is read as it is");
  return 0;
}
