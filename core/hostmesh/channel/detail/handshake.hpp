// Handshake: brings one fresh stream to an established connection, or to an error. Both sides, over any
// Stream.
//
// Owned by the listener or dial that began it; reactor thread only; destruction gives it up silently.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/detail/connection_impl.hpp"
#include "hostmesh/channel/detail/handshake_messages.hpp"
#include "hostmesh/channel/dial.hpp"
#include "hostmesh/channel/listener.hpp"

namespace hostmesh::detail {

class SessionTable;

// What a handshake is to settle about a session.
struct SessionAsk {
  SessionWish wish = SessionWish::kNone;
  SessionName name{};  // to resume
};

class Handshake : public StreamEvents {
 public:
  // Once, from the reactor; may destroy the handshake. A dialler's error that is worth another try has
  // Cause::kPeerGone.
  using Done = std::function<void(Result<Established>)>;

  // `sessions`: null when there are none to begin or resume.
  static std::unique_ptr<Handshake> listening(std::unique_ptr<Stream> stream,
                                              std::shared_ptr<const ListenOptions> options,
                                              std::shared_ptr<const SessionTable> sessions,
                                              const Limits& limits, Done done);
  // The caller bounds the time.
  static std::unique_ptr<Handshake> dialling(std::unique_ptr<Stream> stream, const DialOptions& options,
                                             const SessionAsk& ask, const Limits& limits, Done done);
  virtual ~Handshake() = default;
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  // The claim being made, as far as it is known; for messages.
  virtual std::string who() const = 0;

 protected:
  Handshake(std::unique_ptr<Stream> stream, HandshakeStep first_step, Done done);

  // What was awaited. succeed() and fail() may destroy the handshake: they come last.
  virtual void on_message(ByteView message) = 0;
  // What came is no message of ours; an answer may still be sent.
  virtual void on_stranger(std::uint8_t) {}
  void expect(HandshakeStep step);
  // What cannot be sent shows when reading, or in succeed().
  void send(ByteView message);
  // Waits until what was sent is with the kernel. The stream is added here.
  void succeed(Established established);
  void fail(Error error);
  Secret bind(const Secret& key) const { return stream_->bind(key); }
  const std::string& description() const { return stream_->description(); }

 private:
  void on_readable() final;
  void on_writable() final;
  void finish(Result<Established> result);

  std::unique_ptr<Stream> stream_;
  HandshakeReader reader_;
  Bytes unsent_;
  int send_error_ = 0;
  std::unique_ptr<Established> established_;
  Done done_;
};

}  // namespace hostmesh::detail
