#include "hostmesh/channel/detail/handshake_messages.hpp"

#include <algorithm>
#include <optional>
#include <utility>

namespace hostmesh::detail {

namespace {

constexpr std::array<std::string_view, 3> kMagics{"HMSH", "HMSA", "HMSC"};
constexpr std::size_t kProofSize = sizeof(Proof);

std::string_view magic_of(HandshakeStep step) {
  return kMagics[std::size_t(step)];
}

class Writer {
 public:
  explicit Writer(HandshakeStep step) {
    const std::string_view magic = magic_of(step);
    bytes_.assign(magic.begin(), magic.end());
    bytes_.resize(kHandshakeHeader);
  }
  void number(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) bytes_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
  void raw(ByteView view) { bytes_.insert(bytes_.end(), view.begin(), view.end()); }
  void text(std::string_view text) {
    number(text.size(), 2);
    bytes_.insert(bytes_.end(), text.begin(), text.end());
  }
  void versions(VersionRange range) {
    number(range.oldest, 2);
    number(range.newest, 2);
  }
  // `still_to_come` bytes will be appended by the caller.
  Bytes finish(std::size_t still_to_come = 0) {
    const std::size_t body = bytes_.size() - kHandshakeHeader + still_to_come;
    HOSTMESH_ASSERT(body + kHandshakeHeader <= kMaxHandshakeMessage,
                    "a handshake message that nobody would take");
    bytes_[4] = static_cast<std::uint8_t>(body);
    bytes_[5] = static_cast<std::uint8_t>(body >> 8);
    return std::move(bytes_);
  }

 private:
  Bytes bytes_;
};

// Reads fields; after the first that is not there all are zero, and ok() is false.
class Reader {
 public:
  explicit Reader(ByteView body) : left_(body) {}
  std::uint64_t number(std::size_t size) {
    const ByteView bytes = take(size);
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t(bytes[i]) << (8 * i);
    return value;
  }
  template <std::size_t N>
  void array(std::array<std::uint8_t, N>& into) {
    const ByteView bytes = take(N);
    std::copy(bytes.begin(), bytes.end(), into.begin());
  }
  std::string text(std::size_t limit) {
    const std::size_t size = number(2);
    if (size > limit) ok_ = false;
    const ByteView bytes = take(size);
    return std::string(bytes.begin(), bytes.end());
  }
  VersionRange versions() {
    VersionRange range;
    range.oldest = static_cast<std::uint16_t>(number(2));
    range.newest = static_cast<std::uint16_t>(number(2));
    if (range.oldest > range.newest) ok_ = false;
    return range;
  }
  Verdict verdict() {
    const auto value = number(1);
    if (value > std::uint64_t(Verdict::kSessionOver)) ok_ = false;
    return static_cast<Verdict>(value);
  }
  bool ok() const { return ok_; }
  // What later versions added may follow, or not.
  bool more() const { return ok_ && !left_.empty(); }

 private:
  ByteView take(std::size_t size) {
    if (!ok_ || size > left_.size()) {
      ok_ = false;
      return {};
    }
    const ByteView taken = left_.first(size);
    left_ = left_.subspan(size);
    return taken;
  }
  ByteView left_;
  bool ok_ = true;
};

Error malformed(HandshakeStep step) {
  constexpr std::array<std::string_view, 3> kNames{"dialler's hello", "listener's hello", "dialler's proof"};
  return Error(Cause::kProtocol, "the " + std::string(kNames[std::size_t(step)]) + " is malformed");
}

// Without the header; nothing when it is not that message.
std::optional<ByteView> body_of(ByteView message, HandshakeStep step) {
  const std::string_view magic = magic_of(step);
  if (message.size() < kHandshakeHeader || message.size() > kMaxHandshakeMessage) return std::nullopt;
  if (!std::equal(magic.begin(), magic.end(), message.begin())) return std::nullopt;
  const std::size_t body = std::size_t(message[4]) | std::size_t(message[5]) << 8;
  if (message.size() != kHandshakeHeader + body) return std::nullopt;
  return message.subspan(kHandshakeHeader);
}

std::string range_text(VersionRange range) {
  const std::string oldest = std::to_string(range.oldest);
  return range.oldest == range.newest ? "only " + oldest : oldest + " to " + std::to_string(range.newest);
}

Bytes transcript(std::string_view label, ByteView first, ByteView second) {
  Bytes bytes(label.begin(), label.end());
  bytes.insert(bytes.end(), first.begin(), first.end());
  bytes.insert(bytes.end(), second.begin(), second.end());
  return bytes;
}

}  // namespace

SessionName random_session_name() {
  const Nonce random = random_nonce();
  SessionName name;
  std::copy_n(random.begin(), name.size(), name.begin());
  return name;
}

Result<std::uint16_t> choose_version(VersionRange dialler, VersionRange listener) {
  const std::uint16_t newest = std::min(dialler.newest, listener.newest);
  if (newest >= std::max(dialler.oldest, listener.oldest)) return newest;
  return Error(ErrorInfo{.cause = Cause::kProtocol,
                         .message = "no common protocol version: the dialler speaks " + range_text(dialler) +
                                    ", the listener " + range_text(listener),
                         .hint = "the same release of hostmesh on both sides"});
}

Bytes encode(const ClientHello& hello) {
  Writer writer(HandshakeStep::kClientHello);
  writer.versions(hello.versions);
  writer.number(hello.max_message, 4);
  writer.number(std::uint8_t(hello.claim.role), 1);
  writer.number(hello.claim.rank, 8);
  writer.number(hello.claim.incarnation, 4);
  writer.raw(hello.nonce);
  writer.text(hello.claim.allocation);
  writer.text(hello.claim.process);
  if (hello.wish != SessionWish::kNone) {
    writer.number(std::uint8_t(hello.wish), 1);
    writer.raw(hello.session);
  }
  return writer.finish();
}

Result<ClientHello> decode_client_hello(ByteView message) {
  const auto body = body_of(message, HandshakeStep::kClientHello);
  if (!body) return malformed(HandshakeStep::kClientHello);
  Reader reader(*body);
  ClientHello hello;
  hello.versions = reader.versions();
  hello.max_message = static_cast<std::uint32_t>(reader.number(4));
  const auto role = reader.number(1);
  hello.claim.role = static_cast<Role>(role);
  hello.claim.rank = reader.number(8);
  hello.claim.incarnation = static_cast<Incarnation>(reader.number(4));
  reader.array(hello.nonce);
  hello.claim.allocation = reader.text(kMaxAllocationText);
  hello.claim.process = reader.text(kMaxIdentityText);
  if (reader.more()) {
    // A wish that is not known here is none.
    const auto wish = reader.number(1);
    hello.wish =
        wish <= std::uint8_t(SessionWish::kResume) ? static_cast<SessionWish>(wish) : SessionWish::kNone;
    if (hello.wish != SessionWish::kNone) reader.array(hello.session);
  }
  const bool known_role = role == std::uint8_t(Role::kChild) || role == std::uint8_t(Role::kPeer);
  if (!reader.ok() || !known_role) return malformed(HandshakeStep::kClientHello);
  return hello;
}

Bytes encode_without_proof(const ServerHello& hello) {
  Writer writer(HandshakeStep::kServerHello);
  writer.versions(hello.versions);
  writer.number(std::uint8_t(hello.verdict), 1);
  if (hello.verdict != Verdict::kAccepted) return writer.finish();
  writer.number(hello.version, 2);
  writer.number(hello.max_message, 4);
  writer.raw(hello.nonce);
  writer.text(hello.identity);
  if (hello.session) {
    writer.number(1, 1);
    writer.raw(*hello.session);
  }
  return writer.finish(kProofSize);
}

Result<ServerHello> decode_server_hello(ByteView message) {
  const auto body = body_of(message, HandshakeStep::kServerHello);
  if (!body) return malformed(HandshakeStep::kServerHello);
  Reader reader(*body);
  ServerHello hello;
  hello.versions = reader.versions();
  hello.verdict = reader.verdict();
  if (reader.ok() && hello.verdict != Verdict::kAccepted) return hello;
  if (!reader.ok() || body->size() < kProofSize) return malformed(HandshakeStep::kServerHello);
  Reader fields(body->first(body->size() - kProofSize));
  (void)fields.versions();
  (void)fields.verdict();
  hello.version = static_cast<std::uint16_t>(fields.number(2));
  hello.max_message = static_cast<std::uint32_t>(fields.number(4));
  fields.array(hello.nonce);
  hello.identity = fields.text(kMaxIdentityText);
  if (fields.more() && fields.number(1) == 1) fields.array(hello.session.emplace());
  const ByteView proof = body->last(kProofSize);
  std::copy(proof.begin(), proof.end(), hello.proof.begin());
  if (!fields.ok()) return malformed(HandshakeStep::kServerHello);
  return hello;
}

Bytes encode(const ClientFinish& finish) {
  Writer writer(HandshakeStep::kClientFinish);
  writer.number(std::uint8_t(finish.verdict), 1);
  if (finish.verdict == Verdict::kAccepted) writer.raw(finish.proof);
  return writer.finish();
}

Result<ClientFinish> decode_client_finish(ByteView message) {
  const auto body = body_of(message, HandshakeStep::kClientFinish);
  if (!body) return malformed(HandshakeStep::kClientFinish);
  Reader reader(*body);
  ClientFinish finish;
  finish.verdict = reader.verdict();
  if (finish.verdict == Verdict::kAccepted) reader.array(finish.proof);
  if (!reader.ok()) return malformed(HandshakeStep::kClientFinish);
  return finish;
}

Bytes server_transcript(ByteView client_hello, ByteView server_hello_without_proof) {
  return transcript("srv", client_hello, server_hello_without_proof);
}

Bytes client_transcript(ByteView client_hello, ByteView server_hello) {
  return transcript("cli", client_hello, server_hello);
}

std::size_t HandshakeReader::wanted() const {
  if (bytes_.size() < kHandshakeHeader) return kHandshakeHeader - bytes_.size();
  const std::size_t body = std::size_t(bytes_[4]) | std::size_t(bytes_[5]) << 8;
  return kHandshakeHeader + body - bytes_.size();
}

Result<> HandshakeReader::take(ByteView bytes) {
  HOSTMESH_ASSERT(bytes.size() <= wanted(), "more handshake bytes than were asked for");
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  const std::string_view magic = magic_of(step_);
  const std::size_t checked = std::min(magic.size(), bytes_.size());
  if (!std::equal(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(checked), magic.begin())) {
    constexpr std::uint8_t kTlsHandshake = 22;
    if (bytes_[0] == kTlsHandshake) {
      return Error(ErrorInfo{.cause = Cause::kProtocol,
                             .message = "the peer speaks TLS, which is not in use here",
                             .hint = "both sides need the same TCP_INSECURE and TCP_TLS_LOOPBACK"});
    }
    return Error(Cause::kProtocol, "the peer does not speak this protocol");
  }
  if (bytes_.size() >= kHandshakeHeader && bytes_.size() + wanted() > kMaxHandshakeMessage) {
    return Error(Cause::kProtocol, "a handshake message of " + std::to_string(bytes_.size() + wanted()) +
                                       " bytes; at most " + std::to_string(kMaxHandshakeMessage) +
                                       " are allowed");
  }
  return {};
}

}  // namespace hostmesh::detail
