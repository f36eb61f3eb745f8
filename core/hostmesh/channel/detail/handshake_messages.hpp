// The messages of the handshake and their bytes. Pure.
//
// Each is a magic of four letters, u16 body length, body; little endian; at most kMaxHandshakeMessage in all.
// A body may be longer than what is read here, for later versions; what is added is proved with the rest.
//
//   dialler  "HMSH"  versions, max message, role, rank, incarnation, nonce, allocation, process (, wish,
//   session) listener "HMSA"  versions, verdict, chosen version, max message, nonce, identity (, session),
//   ..., proof("srv", all before) dialler  "HMSC"  verdict, proof("cli", all before)
//
// A verdict other than kAccepted ends it; then there is no proof.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hostmesh/base/result.hpp"
#include "hostmesh/base/secret.hpp"
#include "hostmesh/channel/peer.hpp"

namespace hostmesh::detail {

inline constexpr std::size_t kMaxHandshakeMessage = 4096;  // bytes
inline constexpr std::size_t kHandshakeHeader = 6;         // bytes
inline constexpr std::size_t kMaxAllocationText = 255;     // bytes
inline constexpr std::size_t kMaxIdentityText = 1024;      // bytes; also of PeerClaim::process

struct VersionRange {
  std::uint16_t oldest = 1;
  std::uint16_t newest = 1;
  bool operator==(const VersionRange&) const = default;
};
inline constexpr VersionRange kOurVersions{1, 1};
// The newest that both speak; the error names both sides.
Result<std::uint16_t> choose_version(VersionRange dialler, VersionRange listener);

// A session's name is secret enough that nobody guesses it, and worth nothing without the key.
using SessionName = std::array<std::uint8_t, 16>;
SessionName random_session_name();
enum class SessionWish : std::uint8_t {
  kNone = 0,
  kNew = 1,
  kResume = 2,
};

enum class Verdict : std::uint8_t {
  kAccepted = 0,
  kVersion = 1,      // no common version
  kRefused = 2,      // nobody may make this claim here
  kProof = 3,        // the other side's proof is wrong: it has another key
  kBusy = 4,         // too many handshakes at once; try again
  kTlsRequired = 5,  // this is not to be said without TLS
  kSessionOver = 6,  // the session to be resumed is not known any more
};

struct ClientHello {
  VersionRange versions = kOurVersions;
  std::uint32_t max_message = 0;  // bytes
  PeerClaim claim;
  Nonce nonce{};
  SessionWish wish = SessionWish::kNone;
  SessionName session{};  // to resume
};

struct ServerHello {
  VersionRange versions = kOurVersions;
  Verdict verdict = Verdict::kAccepted;
  std::uint16_t version = 0;
  std::uint32_t max_message = 0;  // bytes
  Nonce nonce{};
  std::string identity;
  std::optional<SessionName> session = std::nullopt;  // the one that was wished for
  Proof proof{};
};

struct ClientFinish {
  Verdict verdict = Verdict::kAccepted;
  Proof proof{};
};

// Whole messages, header included. Texts must be within the bounds above.
Bytes encode(const ClientHello& hello);
Bytes encode_without_proof(
    const ServerHello& hello);  // its header already counts the proof, unless it is a refusal
Bytes encode(const ClientFinish& finish);
Result<ClientHello> decode_client_hello(ByteView message);
Result<ServerHello> decode_server_hello(ByteView message);
Result<ClientFinish> decode_client_finish(ByteView message);

// What each side proves: everything said so far.
Bytes server_transcript(ByteView client_hello, ByteView server_hello_without_proof);
Bytes client_transcript(ByteView client_hello, ByteView server_hello);

enum class HandshakeStep : std::uint8_t { kClientHello, kServerHello, kClientFinish };

// Collects one message; never takes a byte beyond it, so what follows stays in the stream.
class HandshakeReader {
 public:
  explicit HandshakeReader(HandshakeStep step) : step_(step) {}
  // How many bytes to read next, at most; 0 when the message is complete.
  std::size_t wanted() const;
  // At most wanted() bytes. An error as soon as the bytes cannot become the message.
  Result<> take(ByteView bytes);
  ByteView message() const { return bytes_; }

 private:
  HandshakeStep step_;
  Bytes bytes_;
};

}  // namespace hostmesh::detail
