#include "hostmesh/channel/detail/handshake.hpp"

#include <cerrno>
#include <utility>

#include "hostmesh/channel/detail/session.hpp"

namespace hostmesh::detail {

Handshake::Handshake(std::unique_ptr<Stream> stream, HandshakeStep first_step, Done done)
    : stream_(std::move(stream)), reader_(first_step), done_(std::move(done)) {
  stream_->set_events(this);
  stream_->await_readable();
}

void Handshake::expect(HandshakeStep step) {
  reader_ = HandshakeReader(step);
  stream_->await_readable();
}

void Handshake::on_readable() {
  while (reader_.wanted() > 0) {
    std::array<std::uint8_t, kMaxHandshakeMessage> buffer;
    const IoResult got = stream_->read_some({buffer.data(), std::min(buffer.size(), reader_.wanted())});
    if (got.error == EAGAIN) return stream_->await_readable();
    if (auto why = got.error != 0 ? stream_->failure() : Error(); why.cause() != Cause::kNone) {
      return fail(std::move(why));
    }
    if (got.error != 0) {
      return fail(os_error(Cause::kPeerGone, description() + " was lost in the handshake", got.error));
    }
    if (got.end) return fail(Error(Cause::kPeerGone, description() + " closed in the handshake"));
    if (auto taken = reader_.take({buffer.data(), got.bytes}); !taken) {
      on_stranger(buffer[0]);
      return fail(Error(taken.error().cause(), description() + ": " + taken.error().text()));
    }
  }
  const HandshakeReader complete = std::move(reader_);
  on_message(complete.message());
}

void Handshake::on_writable() {
  const Bytes rest = std::exchange(unsent_, Bytes());
  send(rest);
  if (established_ && unsent_.empty()) succeed(std::move(*established_));
}

void Handshake::send(ByteView message) {
  const iovec buffer{const_cast<std::uint8_t*>(message.data()), message.size()};
  const IoResult put = unsent_.empty() ? stream_->write_some({&buffer, 1}) : IoResult{};
  if (put.error != 0 && put.error != EAGAIN) {
    send_error_ = put.error;
    return;
  }
  const ByteView rest = message.subspan(put.bytes);
  unsent_.insert(unsent_.end(), rest.begin(), rest.end());
  if (!unsent_.empty()) stream_->await_writable();
}

void Handshake::succeed(Established established) {
  if (send_error_ != 0) {
    if (auto why = stream_->failure(); why.cause() != Cause::kNone) return fail(std::move(why));
    return fail(os_error(Cause::kPeerGone, description() + " was lost in the handshake", send_error_));
  }
  if (!unsent_.empty()) {
    established_ = std::make_unique<Established>(std::move(established));
    return;
  }
  established.stream = std::move(stream_);
  established.stream->set_events(nullptr);
  finish(std::move(established));
}

void Handshake::fail(Error error) {
  finish(std::move(error));
}

void Handshake::finish(Result<Established> result) {
  if (stream_) stream_->set_events(nullptr);
  const auto done = std::exchange(done_, nullptr);
  if (done) done(std::move(result));
}

namespace {

class ListeningHandshake final : public Handshake {
 public:
  ListeningHandshake(std::unique_ptr<Stream> stream, std::shared_ptr<const ListenOptions> options,
                     std::shared_ptr<const SessionTable> sessions, const Limits& limits, Done done)
      : Handshake(std::move(stream), HandshakeStep::kClientHello, std::move(done)),
        options_(std::move(options)),
        sessions_(std::move(sessions)),
        max_message_bytes_(limits.max_message_bytes) {}

  std::string who() const override {
    return client_hello_.empty() ? description() : description() + " as " + to_string(claim_);
  }

 private:
  void on_message(ByteView message) override {
    if (client_hello_.empty()) {
      on_client_hello(message);
    } else {
      on_client_finish(message);
    }
  }

  // Whoever speaks TLS understands an alert.
  void on_stranger(std::uint8_t first_byte) override {
    constexpr std::uint8_t kTlsHandshake = 22;
    constexpr std::array<std::uint8_t, 7> kProtocolVersionAlert{21, 3, 3, 0, 2, 2, 70};
    if (client_hello_.empty() && first_byte == kTlsHandshake) send(kProtocolVersionAlert);
  }

  void on_client_hello(ByteView message) {
    auto hello = decode_client_hello(message);
    if (!hello) return fail(Error(hello.error().cause(), description() + ": " + hello.error().text()));
    client_hello_.assign(message.begin(), message.end());
    claim_ = std::move(hello->claim);
    max_send_bytes_ = hello->max_message;
    const auto version = choose_version(hello->versions, kOurVersions);
    if (!version) return refuse(Verdict::kVersion, version.error());
    const auto key = options_->key_of
                         ? options_->key_of(claim_)
                         : Result<Secret>(Error(Cause::kAuthentication, "nobody is let in here"));
    if (!key) return refuse(Verdict::kRefused, key.error());
    if (key->empty())
      return refuse(Verdict::kRefused, Error(Cause::kAuthentication, "no key for this claim"));
    key_ = bind(*key);
    if (sessions_ && hello->wish == SessionWish::kResume) {
      if (!sessions_->knows(hello->session, claim_)) {
        return refuse(Verdict::kSessionOver, Error(Cause::kPeerGone, "its session is over"));
      }
      session_ = hello->session;
      resumed_ = true;
    } else if (sessions_ && hello->wish == SessionWish::kNew) {
      session_ = random_session_name();
    }
    server_hello_ = encode_without_proof({.version = *version,
                                          .max_message = static_cast<std::uint32_t>(max_message_bytes_),
                                          .nonce = random_nonce(),
                                          .identity = options_->identity,
                                          .session = session_});
    const Proof proof = key_.prove(server_transcript(client_hello_, server_hello_));
    server_hello_.insert(server_hello_.end(), proof.begin(), proof.end());
    expect(HandshakeStep::kClientFinish);
    send(server_hello_);
  }

  void on_client_finish(ByteView message) {
    const auto finish = decode_client_finish(message);
    if (!finish) return fail(Error(finish.error().cause(), description() + ": " + finish.error().text()));
    if (finish->verdict != Verdict::kAccepted) {
      return fail(Error(Cause::kAuthentication, who() + " has another key than we have for it"));
    }
    if (!key_.verify(client_transcript(client_hello_, server_hello_), finish->proof)) {
      return fail(Error(Cause::kAuthentication, who() + " could not prove its claim"));
    }
    succeed(Established{.stream = nullptr,
                        .peer = std::move(claim_),
                        .server_identity = options_->identity,
                        .max_send_bytes = max_send_bytes_,
                        .session = session_,
                        .resumed = resumed_});
  }

  void refuse(Verdict verdict, const Error& why) {
    send(encode_without_proof({.verdict = verdict}));
    fail(Error(why.cause(), who() + " is refused: " + why.text()));
  }

  std::shared_ptr<const ListenOptions> options_;
  std::shared_ptr<const SessionTable> sessions_;
  std::optional<SessionName> session_;
  bool resumed_ = false;
  std::size_t max_message_bytes_;
  Bytes client_hello_;
  Bytes server_hello_;
  PeerClaim claim_;
  Secret key_;
  std::size_t max_send_bytes_ = 0;
};

class DiallingHandshake final : public Handshake {
 public:
  DiallingHandshake(std::unique_ptr<Stream> stream, const DialOptions& options, const SessionAsk& ask,
                    const Limits& limits, Done done)
      : Handshake(std::move(stream), HandshakeStep::kServerHello, std::move(done)),
        claim_(options.claim),
        key_(options.key),
        ask_(ask),
        expected_identity_(options.expected_server_identity) {
    client_hello_ = encode(ClientHello{.max_message = static_cast<std::uint32_t>(limits.max_message_bytes),
                                       .claim = claim_,
                                       .nonce = random_nonce(),
                                       .wish = ask_.wish,
                                       .session = ask_.name});
    send(client_hello_);
  }

  std::string who() const override { return to_string(claim_); }

 private:
  void on_message(ByteView message) override {
    auto hello = decode_server_hello(message);
    if (!hello) return fail(Error(hello.error().cause(), description() + ": " + hello.error().text()));
    if (hello->verdict != Verdict::kAccepted) return fail(explain(*hello));
    key_ = bind(key_);
    const ByteView proved = message.first(message.size() - sizeof(Proof));
    if (!key_.verify(server_transcript(client_hello_, proved), hello->proof)) {
      send(encode(ClientFinish{.verdict = Verdict::kProof}));
      return fail(Error(Cause::kAuthentication,
                        description() + " has another key than ours for " + who() + ", or none"));
    }
    const auto version = choose_version(kOurVersions, hello->versions);
    if (!version || *version != hello->version) {
      return fail(Error(Cause::kProtocol, description() + " chose protocol version " +
                                              std::to_string(hello->version) + ", which we do not speak"));
    }
    if (!expected_identity_.empty() && hello->identity != expected_identity_) {
      send(encode(ClientFinish{.verdict = Verdict::kRefused}));
      return fail(Error(Cause::kAuthentication,
                        description() + " is '" + hello->identity + "', not '" + expected_identity_ + "'"));
    }
    if (ask_.wish == SessionWish::kResume && hello->session != ask_.name) {
      return fail(Error(Cause::kProtocol, description() + " answers with another session than ours"));
    }
    send(encode(ClientFinish{.proof = key_.prove(client_transcript(client_hello_, message))}));
    succeed(Established{.stream = nullptr,
                        .peer = std::move(claim_),
                        .server_identity = std::move(hello->identity),
                        .max_send_bytes = hello->max_message,
                        .session = ask_.wish == SessionWish::kNone ? std::nullopt : hello->session,
                        .resumed = ask_.wish == SessionWish::kResume});
  }

  Error explain(const ServerHello& hello) const {
    switch (hello.verdict) {
      case Verdict::kVersion: {
        const auto version = choose_version(kOurVersions, hello.versions);
        const std::string why = version ? "no common protocol version" : version.error().info().message;
        return Error(Cause::kProtocol, description() + ": " + why);
      }
      case Verdict::kBusy:
        return Error(Cause::kPeerGone, description() + " has too many handshakes under way");
      case Verdict::kSessionOver:
        return Error(Cause::kUnroutable, description() + " does not know the session any more");
      case Verdict::kTlsRequired:
        return Error(ErrorInfo{.cause = Cause::kAuthentication,
                               .message = description() + " requires TLS, and this side dialled without",
                               .hint = "both sides need the same TCP_INSECURE and TCP_TLS_LOOPBACK"});
      default:
        return Error(Cause::kAuthentication,
                     description() + " refuses " + who() + "; its own log or error says why");
    }
  }

  PeerClaim claim_;
  Secret key_;
  SessionAsk ask_;
  std::string expected_identity_;
  Bytes client_hello_;
};

}  // namespace

std::unique_ptr<Handshake> Handshake::listening(std::unique_ptr<Stream> stream,
                                                std::shared_ptr<const ListenOptions> options,
                                                std::shared_ptr<const SessionTable> sessions,
                                                const Limits& limits, Done done) {
  return std::make_unique<ListeningHandshake>(std::move(stream), std::move(options), std::move(sessions),
                                              limits, std::move(done));
}

std::unique_ptr<Handshake> Handshake::dialling(std::unique_ptr<Stream> stream, const DialOptions& options,
                                               const SessionAsk& ask, const Limits& limits, Done done) {
  return std::make_unique<DiallingHandshake>(std::move(stream), options, ask, limits, std::move(done));
}

}  // namespace hostmesh::detail
