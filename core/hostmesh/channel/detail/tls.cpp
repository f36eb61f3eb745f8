#include "hostmesh/channel/detail/tls.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <boost/asio/execution_context.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/channel/detail/handshake_messages.hpp"
#include "hostmesh/channel/detail/tls_identity.hpp"

namespace hostmesh::detail {

namespace {

constexpr std::size_t kRecord = 16 << 10;        // bytes of plain text in a record, at most
constexpr std::size_t kReadAhead = 64 << 10;     // bytes
constexpr std::size_t kMaxHandshake = 16 << 10;  // bytes that a peer may send before it has proved the key
constexpr std::size_t kKeepUnsent = 4 << 10;     // bytes of buffer that an idle stream may hold on to
constexpr std::string_view kExporterLabel = "EXPORTER-hostmesh-channel-1";
// What the first byte tells.
constexpr std::uint8_t kAlertRecord = 21;
constexpr std::uint8_t kHandshakeRecord = 22;

struct Free {
  void operator()(SSL* ssl) const { ::SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { ::SSL_CTX_free(context); }
  void operator()(SSL_SESSION* session) const { ::SSL_SESSION_free(session); }
  void operator()(BIO_METHOD* method) const { ::BIO_meth_free(method); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// Takes what OpenSSL has to say about the last failure, first cause first.
std::string openssl_words() {
  std::string words;
  while (const unsigned long code = ::ERR_get_error()) {
    const char* reason = ::ERR_reason_error_string(code);
    if (!words.empty()) words += "; ";
    words += reason != nullptr ? reason : "error " + std::to_string(code);
  }
  return words.empty() ? "OpenSSL gives no reason" : words;
}

class TlsStream final : public Stream, private StreamEvents {
 public:
  enum class Side : std::uint8_t { kDialling, kListening };

  TlsStream(Reactor& reactor, std::unique_ptr<Stream> inner, Side side)
      : reactor_(reactor), inner_(std::move(inner)), side_(side) {
    inner_->set_events(this);
  }
  // Says goodbye in TLS's words, as far as that goes at once.
  ~TlsStream() override {
    if (established_ && failure_.cause() == Cause::kNone && unsent_.empty()) {
      ::ERR_clear_error();
      (void)::SSL_shutdown(ssl_.get());
      ::ERR_clear_error();
      push();
    }
    inner_->set_events(nullptr);
  }

  Result<> open(SSL_CTX* context, const BIO_METHOD* method);
  void offer(const PeerClaim& claim, const Secret& key) {
    claim_ = claim;
    key_ = tls_key(key);
  }
  void look_up_in(std::shared_ptr<const ListenOptions> options) { options_ = std::move(options); }

  void set_events(StreamEvents* events) override { events_ = events; }
  IoResult read_some(std::span<std::uint8_t> into) override;
  IoResult write_some(std::span<const iovec> from) override;
  void await_readable() override;
  void await_writable() override;
  std::optional<PeerCredentials> credentials() const override { return inner_->credentials(); }
  const std::string& description() const override { return inner_->description(); }
  Error failure() const override { return failure_; }
  Secret bind(const Secret& key) const override;

  // Called by OpenSSL.
  static int on_bio_read(BIO* bio, char* into, std::size_t size, std::size_t* got);
  static int on_bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* put);
  static long on_bio_control(BIO* bio, int command, long number, void* pointer);
  static int on_use_key(SSL* ssl, const EVP_MD* digest, const unsigned char** identity, std::size_t* size,
                        SSL_SESSION** session);
  static int on_find_key(SSL* ssl, const unsigned char* identity, std::size_t size, SSL_SESSION** session);

 private:
  static TlsStream& of(const BIO* bio) {
    return *static_cast<TlsStream*>(::BIO_get_data(const_cast<BIO*>(bio)));
  }
  static TlsStream& of(const SSL* ssl) { return *static_cast<TlsStream*>(SSL_get_app_data(ssl)); }

  void on_readable() override;
  void on_writable() override;
  void post(void (TlsStream::*what)());
  void tell_readable();
  void tell_writable();

  // Takes the handshake as far as it goes now.
  void advance();
  void explain_failure();
  void refuse_stranger();
  // Hands encrypted bytes to the inner stream, as far as it takes them.
  void push();
  Owned<SSL_SESSION> session_of_key() const;
  bool inspect_first(std::uint8_t byte);
  // After a call into OpenSSL that did not do what was asked.
  IoResult explain_read();

  Reactor& reactor_;
  std::unique_ptr<Stream> inner_;
  Side side_;
  Owned<SSL> ssl_;
  StreamEvents* events_ = nullptr;
  std::shared_ptr<TlsStream*> self_ = std::make_shared<TlsStream*>(this);  // lets a posted call find us

  std::string identity_;
  PeerClaim claim_;
  Secret key_;  // TLS's
  std::shared_ptr<const ListenOptions> options_;

  Bytes unsent_;  // encrypted
  std::size_t unsent_head_ = 0;
  Error failure_;
  Error refusal_;  // why this side has no key for the claim
  int inner_error_ = 0;
  std::size_t handshake_bytes_ = 0;
  bool inner_end_ = false;
  bool established_ = false;
  bool read_blocked_ = true;  // nothing to read before the inner stream has more
  bool wants_read_ = false;
  bool wants_write_ = false;
  // The last byte that was encrypted has not been owned up to, because not all of it is with the inner
  // stream: so the caller does not think that all is sent, and comes again with that byte first.
  bool owes_byte_ = false;
};

// What the TLS streams of one reactor share; made with the first. Part of its io_context.
class TlsService final : public boost::asio::execution_context::service {
 public:
  static boost::asio::execution_context::id id;
  explicit TlsService(boost::asio::execution_context& context)
      : boost::asio::execution_context::service(context) {}
  static TlsService& of(Reactor& reactor) {
    return boost::asio::use_service<TlsService>(io_context_of(reactor));
  }

  Result<> prepare();
  SSL_CTX* context() const { return context_.get(); }
  const BIO_METHOD* method() const { return method_.get(); }
  std::span<std::uint8_t> record_buffer() { return record_buffer_; }

 private:
  void shutdown() override {}
  Owned<SSL_CTX> context_;
  Owned<BIO_METHOD> method_;
  std::array<std::uint8_t, kRecord> record_buffer_;
};
boost::asio::execution_context::id TlsService::id;

Result<> TlsService::prepare() {
  if (context_) return {};
  ::ERR_clear_error();
  Owned<BIO_METHOD> method(::BIO_meth_new(::BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "hostmesh stream"));
  Owned<SSL_CTX> context(::SSL_CTX_new(::TLS_method()));
  if (!method || !context) return Error(Cause::kResourceLimit, "setting up TLS: " + openssl_words());
  ::BIO_meth_set_read_ex(method.get(), &TlsStream::on_bio_read);
  ::BIO_meth_set_write_ex(method.get(), &TlsStream::on_bio_write);
  ::BIO_meth_set_ctrl(method.get(), &TlsStream::on_bio_control);
  SSL_CTX* const raw = context.get();
  const bool set = ::SSL_CTX_set_min_proto_version(raw, TLS1_3_VERSION) == 1 &&
                   ::SSL_CTX_set_max_proto_version(raw, TLS1_3_VERSION) == 1 &&
                   // The hash of the cipher is the key's, and the key is made for SHA-256.
                   ::SSL_CTX_set_ciphersuites(raw, "TLS_AES_128_GCM_SHA256") == 1 &&
                   ::SSL_CTX_set1_groups_list(raw, "X25519:P-256") == 1 &&
                   ::SSL_CTX_set_num_tickets(raw, 0) == 1;
  if (!set) return Error(Cause::kInternal, "setting up TLS: " + openssl_words());
  ::SSL_CTX_set_session_cache_mode(raw, SSL_SESS_CACHE_OFF);
  ::SSL_CTX_set_options(raw, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
  ::SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
  ::SSL_CTX_set_read_ahead(raw, 1);
  ::SSL_CTX_set_default_read_buffer_len(raw, kReadAhead);
  ::SSL_CTX_set_psk_use_session_callback(raw, &TlsStream::on_use_key);
  ::SSL_CTX_set_psk_find_session_callback(raw, &TlsStream::on_find_key);
  method_ = std::move(method);
  context_ = std::move(context);
  return {};
}

Result<> TlsStream::open(SSL_CTX* context, const BIO_METHOD* method) {
  ::ERR_clear_error();
  ssl_.reset(::SSL_new(context));
  BIO* const bio = ssl_ ? ::BIO_new(method) : nullptr;
  if (bio == nullptr) {
    return Error(Cause::kResourceLimit, "setting up TLS for " + description() + ": " + openssl_words());
  }
  ::BIO_set_data(bio, this);
  ::BIO_set_init(bio, 1);
  ::SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
  if (side_ == Side::kDialling) {
    ::SSL_set_connect_state(ssl_.get());
    // Nobody's certificate is good enough: with an empty store of roots only the key remains. A listener
    // shows none and asks for none.
    ::SSL_set_verify(ssl_.get(), SSL_VERIFY_PEER, nullptr);
  } else {
    ::SSL_set_accept_state(ssl_.get());
  }
  return {};
}

int TlsStream::on_bio_read(BIO* bio, char* into, std::size_t size, std::size_t* got) {
  TlsStream& self = of(bio);
  ::BIO_clear_retry_flags(bio);
  if (self.inner_error_ != 0 || self.inner_end_) return 0;
  const IoResult result = self.inner_->read_some({reinterpret_cast<std::uint8_t*>(into), size});
  if (result.error == EAGAIN) {
    ::BIO_set_retry_read(bio);
    return 0;
  }
  self.inner_error_ = result.error;
  self.inner_end_ = result.end;
  if (result.bytes == 0) return 0;
  if (!self.established_) {
    if (self.handshake_bytes_ == 0 && !self.inspect_first(static_cast<std::uint8_t>(into[0]))) return 0;
    self.handshake_bytes_ += result.bytes;
    if (self.handshake_bytes_ > kMaxHandshake) {
      self.failure_ =
          Error(Cause::kProtocol, self.description() + " sent over " + std::to_string(kMaxHandshake) +
                                      " bytes without finishing the handshake of TLS");
      return 0;
    }
  }
  *got = result.bytes;
  return 1;
}

// Never in the way: what the inner stream does not take waits in `unsent_`, which write_some() bounds.
int TlsStream::on_bio_write(BIO* bio, const char* from, std::size_t size, std::size_t* put) {
  TlsStream& self = of(bio);
  ::BIO_clear_retry_flags(bio);
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(from);
  self.unsent_.insert(self.unsent_.end(), bytes, bytes + size);
  *put = size;
  return 1;
}

long TlsStream::on_bio_control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_EOF:
      return of(bio).inner_end_ ? 1 : 0;
    default:
      return 0;
  }
}

Owned<SSL_SESSION> TlsStream::session_of_key() const {
  constexpr std::array<unsigned char, 2> kAes128GcmSha256{0x13, 0x01};
  Owned<SSL_SESSION> session(::SSL_SESSION_new());
  const SSL_CIPHER* cipher = ::SSL_CIPHER_find(ssl_.get(), kAes128GcmSha256.data());
  const auto key = key_.bytes();
  if (!session || cipher == nullptr ||
      ::SSL_SESSION_set1_master_key(session.get(), key.data(), key.size()) != 1 ||
      ::SSL_SESSION_set_cipher(session.get(), cipher) != 1 ||
      ::SSL_SESSION_set_protocol_version(session.get(), TLS1_3_VERSION) != 1) {
    return nullptr;
  }
  return session;
}

int TlsStream::on_use_key(SSL* ssl, const EVP_MD*, const unsigned char** identity, std::size_t* size,
                          SSL_SESSION** session) {
  TlsStream& self = of(ssl);
  self.identity_ = tls_identity(self.claim_);
  auto made = self.session_of_key();
  if (!made) return 0;
  *identity = reinterpret_cast<const unsigned char*>(self.identity_.data());
  *size = self.identity_.size();
  *session = made.release();
  return 1;
}

int TlsStream::on_find_key(SSL* ssl, const unsigned char* identity, std::size_t size, SSL_SESSION** session) {
  TlsStream& self = of(ssl);
  *session = nullptr;
  auto claim = parse_tls_identity({reinterpret_cast<const char*>(identity), size});
  if (!claim) {
    self.refusal_ = claim.error();
    return 1;
  }
  self.claim_ = *std::move(claim);
  const auto key = self.options_->key_of
                       ? self.options_->key_of(self.claim_)
                       : Result<Secret>(Error(Cause::kAuthentication, "nobody is let in here"));
  if (!key || key->empty()) {
    self.refusal_ = Error(key ? Cause::kAuthentication : key.error().cause(),
                          to_string(self.claim_) + " is refused: " +
                              (key ? std::string("no key for this claim") : key.error().text()));
    return 1;
  }
  self.key_ = tls_key(*key);
  auto made = self.session_of_key();
  if (!made) return 0;
  *session = made.release();
  return 1;
}

// Somebody without TLS at the other end is common enough, and OpenSSL's words for it say little.
bool TlsStream::inspect_first(std::uint8_t byte) {
  if (byte == kHandshakeRecord || byte == kAlertRecord) return true;
  failure_ = Error(ErrorInfo{.cause = Cause::kAuthentication,
                             .message = description() + " does not speak TLS, which is required here",
                             .hint = "both sides need the same TCP_INSECURE and TCP_TLS_LOOPBACK"});
  if (side_ == Side::kListening) refuse_stranger();
  return false;
}

// In the words of a handshake without TLS, which whoever speaks it understands.
void TlsStream::refuse_stranger() {
  unsent_ = encode_without_proof({.verdict = Verdict::kTlsRequired});
  unsent_head_ = 0;
}

void TlsStream::advance() {
  if (established_ || failure_.cause() != Cause::kNone) return;
  ::ERR_clear_error();
  const int done = ::SSL_do_handshake(ssl_.get());
  if (done != 1 && failure_.cause() == Cause::kNone) {
    const int why = ::SSL_get_error(ssl_.get(), done);
    if (why != SSL_ERROR_WANT_READ && inner_error_ == 0 && !inner_end_) explain_failure();
    read_blocked_ = why == SSL_ERROR_WANT_READ;
  } else if (done == 1) {
    // By the key and nothing else.
    if (::SSL_session_reused(ssl_.get()) != 1) {
      failure_ =
          Error(Cause::kAuthentication, description() + " finished the handshake of TLS without the key");
    } else {
      established_ = true;
      read_blocked_ = false;
    }
  }
  if (failure_.cause() != Cause::kNone) read_blocked_ = false;
  push();
}

void TlsStream::explain_failure() {
  const std::string words = openssl_words();
  if (refusal_.cause() != Cause::kNone) {
    failure_ = Error(refusal_.cause(), description() + ": " + refusal_.text());
    return;
  }
  const std::string who = claim_.allocation.empty() ? "" : " as " + to_string(claim_);
  failure_ = Error(ErrorInfo{
      .cause = Cause::kAuthentication,
      .message = description() + who + " failed the handshake of TLS: " + words,
      .hint = side_ == Side::kDialling ? "the two sides have different keys, or the other speaks no TLS; its "
                                         "own log or error says why"
                                       : ""});
}

void TlsStream::push() {
  while (unsent_head_ < unsent_.size()) {
    const iovec piece{unsent_.data() + unsent_head_, unsent_.size() - unsent_head_};
    const IoResult put = inner_->write_some({&piece, 1});
    if (put.error == EAGAIN) return inner_->await_writable();
    if (put.error != 0) {
      if (inner_error_ == 0) inner_error_ = put.error;
      break;
    }
    unsent_head_ += put.bytes;
  }
  unsent_head_ = 0;
  unsent_.clear();
  if (unsent_.capacity() > kKeepUnsent && !wants_write_) unsent_.shrink_to_fit();
}

IoResult TlsStream::explain_read() {
  if (failure_.cause() != Cause::kNone) return {.error = EPROTO};
  if (inner_error_ != 0) return {.error = inner_error_};
  if (inner_end_) return {.end = true};
  return {.error = EAGAIN};
}

IoResult TlsStream::read_some(std::span<std::uint8_t> into) {
  if (!established_) advance();
  if (!established_) return explain_read();
  std::size_t total = 0;
  while (total < into.size()) {
    ::ERR_clear_error();
    std::size_t count = 0;
    const int done = ::SSL_read_ex(ssl_.get(), into.data() + total, into.size() - total, &count);
    if (done == 1) {
      total += count;
      continue;
    }
    const int why = ::SSL_get_error(ssl_.get(), done);
    if (why == SSL_ERROR_WANT_READ) {
      read_blocked_ = true;
    } else if (total > 0) {
      // Told at the next read.
    } else if (why == SSL_ERROR_ZERO_RETURN) {
      inner_end_ = true;
    } else if (inner_error_ == 0 && !inner_end_) {
      failure_ = Error(Cause::kProtocol, description() + " broke TLS: " + openssl_words());
    }
    break;
  }
  if (!unsent_.empty()) push();
  return total > 0 ? IoResult{.bytes = total} : explain_read();
}

IoResult TlsStream::write_some(std::span<const iovec> from) {
  if (!established_) advance();
  if (failure_.cause() != Cause::kNone) return {.error = EPROTO};
  if (inner_error_ != 0) return {.error = inner_error_};
  if (!established_) return {.error = EAGAIN};
  if (!unsent_.empty()) push();
  if (!unsent_.empty()) return {.error = EAGAIN};

  // All of it, so that the byte that may be owed ends a frame: only that is sure to come first again.
  std::size_t taken = 0;
  std::size_t offset = 0;  // in from.front()
  if (!from.empty() && std::exchange(owes_byte_, false)) taken = offset = 1;
  const std::span<std::uint8_t> record = TlsService::of(reactor_).record_buffer();
  while (!from.empty()) {
    std::size_t filled = 0;
    while (!from.empty() && filled < record.size()) {
      const std::size_t count = std::min(record.size() - filled, from.front().iov_len - offset);
      std::memcpy(record.data() + filled, static_cast<const std::uint8_t*>(from.front().iov_base) + offset,
                  count);
      filled += count;
      offset += count;
      if (offset < from.front().iov_len) continue;
      from = from.subspan(1);
      offset = 0;
    }
    if (filled == 0) break;
    ::ERR_clear_error();
    std::size_t written = 0;
    if (::SSL_write_ex(ssl_.get(), record.data(), filled, &written) != 1) {
      failure_ = Error(Cause::kProtocol, "encrypting for " + description() + ": " + openssl_words());
      return {.error = EPROTO};
    }
    taken += filled;
  }
  push();
  if (inner_error_ != 0) return {.error = inner_error_};
  if (unsent_.empty()) return {.bytes = taken};
  owes_byte_ = true;
  return taken > 1 ? IoResult{.bytes = taken - 1} : IoResult{.error = EAGAIN};
}

Secret TlsStream::bind(const Secret& key) const {
  std::array<std::uint8_t, Secret::kSize> exported{};
  const int done = ::SSL_export_keying_material(ssl_.get(), exported.data(), exported.size(),
                                                kExporterLabel.data(), kExporterLabel.size(), nullptr, 0, 0);
  HOSTMESH_ASSERT(done == 1, "no keying material from an established TLS session");
  return Secret(key.prove(exported));
}

void TlsStream::post(void (TlsStream::*what)()) {
  reactor_.post([weak = std::weak_ptr<TlsStream*>(self_), what] {
    const auto self = weak.lock();
    if (self) ((**self).*what)();
  });
}

void TlsStream::tell_readable() {
  if (std::exchange(wants_read_, false) && events_ != nullptr) events_->on_readable();
}
void TlsStream::tell_writable() {
  if (std::exchange(wants_write_, false) && events_ != nullptr) events_->on_writable();
}

void TlsStream::await_readable() {
  wants_read_ = true;
  if (read_blocked_ && inner_error_ == 0 && !inner_end_) {
    inner_->await_readable();
  } else {
    post(&TlsStream::tell_readable);
  }
}

void TlsStream::await_writable() {
  wants_write_ = true;
  if (inner_error_ != 0 || failure_.cause() != Cause::kNone || (established_ && unsent_.empty())) {
    return post(&TlsStream::tell_writable);
  }
  if (!established_) inner_->await_readable();
  if (!unsent_.empty()) inner_->await_writable();
}

void TlsStream::on_readable() {
  read_blocked_ = false;
  if (!established_) {
    advance();
    const bool waiting =
        !established_ && failure_.cause() == Cause::kNone && inner_error_ == 0 && !inner_end_;
    if (waiting) return inner_->await_readable();
    if (wants_write_ && unsent_.empty()) post(&TlsStream::tell_writable);
  }
  tell_readable();
}

void TlsStream::on_writable() {
  push();
  if (!unsent_.empty()) return;
  if (established_ || inner_error_ != 0 || failure_.cause() != Cause::kNone) tell_writable();
}

Result<std::unique_ptr<Stream>> make(Reactor& reactor, std::unique_ptr<TlsStream> stream) {
  TlsService& service = TlsService::of(reactor);
  if (auto prepared = service.prepare(); !prepared) return prepared.error();
  if (auto opened = stream->open(service.context(), service.method()); !opened) return opened.error();
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace

Result<std::unique_ptr<Stream>> dialling_tls(Reactor& reactor, std::unique_ptr<Stream> inner,
                                             const PeerClaim& claim, const Secret& key) {
  auto stream = std::make_unique<TlsStream>(reactor, std::move(inner), TlsStream::Side::kDialling);
  stream->offer(claim, key);
  return make(reactor, std::move(stream));
}

Result<std::unique_ptr<Stream>> listening_tls(Reactor& reactor, std::unique_ptr<Stream> inner,
                                              std::shared_ptr<const ListenOptions> options) {
  auto stream = std::make_unique<TlsStream>(reactor, std::move(inner), TlsStream::Side::kListening);
  stream->look_up_in(std::move(options));
  return make(reactor, std::move(stream));
}

}  // namespace hostmesh::detail
