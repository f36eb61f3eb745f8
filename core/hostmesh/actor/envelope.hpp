// Envelope: what travels between procs, and its bytes.
//
// A process that only passes an envelope on reads the header and copies the rest: the payload is nobody's
// business but the receiver's. Values; docs/protocol.md describes the bytes.
#pragma once

#include <cstdint>
#include <string_view>

#include "hostmesh/actor/ids.hpp"
#include "hostmesh/base/secret.hpp"

namespace hostmesh {

enum class EnvelopeKind : std::uint8_t {
  kSend = 1,
  kCall = 2,           // asks for one kReply or kError with the same call id
  kReply = 3,          // payload: the encoded answer
  kError = 4,          // payload: an encoded ErrorInfo
  kCancel = 5,         // the caller no longer waits for this call
  kUndeliverable = 6,  // to the sender of a kSend; payload: an encoded Undeliverable
};

struct Envelope {
  EnvelopeKind kind = EnvelopeKind::kSend;
  PortId dest;             // nobody for kReply, kError and kCancel: these go where the call id leads
  ActorId sender;          // may be nobody
  std::uint64_t call = 0;  // given by the process at the sending end of this link, and meaningful to it alone
  std::uint8_t ttl = 0;    // links that it may still cross
  Bytes payload;
};

// What became of a kSend that could not be delivered.
struct Undeliverable {
  PortId dest;
  ErrorInfo why;
};

// The same, parsed from bytes that outlive it: what a process that passes it on needs to see.
struct EnvelopeView {
  EnvelopeKind kind = EnvelopeKind::kSend;
  std::uint8_t ttl = 0;
  std::uint64_t call = 0;
  std::string_view dest;    // text of a PortId, or ""
  std::string_view sender;  // text of an ActorId, or ""
  ByteView payload;
};

// The first byte of every message on a link says what it is.
enum class LinkFrame : std::uint8_t { kSide = 0, kEnvelope = 1 };

// With the leading LinkFrame byte.
Bytes encode_envelope(const Envelope& envelope);
// `frame` has the leading LinkFrame byte. Ids are not parsed yet.
Result<EnvelopeView> view_envelope(ByteView frame);
Result<Envelope> decode_envelope(ByteView frame);
// A copy of `frame`, an encoded envelope, with these two fields replaced.
Bytes forwarded_envelope(ByteView frame, std::uint8_t ttl, std::uint64_t call);

}  // namespace hostmesh
