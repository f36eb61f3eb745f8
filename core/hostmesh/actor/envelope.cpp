#include "hostmesh/actor/envelope.hpp"

#include "hostmesh/wire/stream.hpp"

namespace hostmesh {

namespace {

constexpr std::size_t kTtlAt = 2;
constexpr std::size_t kCallAt = 4;

bool is_known(std::uint64_t kind) {
  return kind >= static_cast<std::uint64_t>(EnvelopeKind::kSend) &&
         kind <= static_cast<std::uint64_t>(EnvelopeKind::kUndeliverable);
}

bool read_text(wire::Reader& in, std::string_view& text) {
  std::uint64_t length = 0;
  ByteView raw;
  if (!in.integer(length, 4) || !in.raw(raw, length)) return false;
  text = std::string_view(reinterpret_cast<const char*>(raw.data()), raw.size());
  return true;
}

}  // namespace

Bytes encode_envelope(const Envelope& envelope) {
  const std::string dest = envelope.dest.text();
  const std::string sender = envelope.sender.text();
  Bytes frame;
  frame.reserve(20 + dest.size() + sender.size() + envelope.payload.size());
  wire::Writer out(frame);
  out.integer(static_cast<std::uint8_t>(LinkFrame::kEnvelope), 1);
  out.integer(static_cast<std::uint8_t>(envelope.kind), 1);
  out.integer(envelope.ttl, 1);
  out.integer(0, 1);  // reserved
  out.integer(envelope.call, 8);
  out.text(dest);
  out.text(sender);
  out.raw(envelope.payload);
  return frame;
}

Result<EnvelopeView> view_envelope(ByteView frame) {
  wire::Reader in(frame);
  EnvelopeView view;
  std::uint64_t tag = 0, kind = 0, ttl = 0, reserved = 0;
  if (!in.integer(tag, 1) || !in.integer(kind, 1) || !in.integer(ttl, 1) || !in.integer(reserved, 1) ||
      !in.integer(view.call, 8) || !read_text(in, view.dest) || !read_text(in, view.sender)) {
    return in.error("an envelope");
  }
  if (tag != static_cast<std::uint64_t>(LinkFrame::kEnvelope) || !is_known(kind)) {
    in.fail("it is of no known kind");
    return in.error("an envelope");
  }
  view.kind = static_cast<EnvelopeKind>(kind);
  view.ttl = static_cast<std::uint8_t>(ttl);
  in.raw(view.payload, in.remaining());
  return view;
}

Result<Envelope> decode_envelope(ByteView frame) {
  const auto view = view_envelope(frame);
  if (!view) return view.error();
  Envelope envelope{
      .kind = view->kind, .dest = {}, .sender = {}, .call = view->call, .ttl = view->ttl, .payload = {}};
  if (!view->dest.empty()) {
    auto dest = PortId::parse(view->dest);
    if (!dest) return Error(Cause::kProtocol, dest.error().text());
    envelope.dest = *std::move(dest);
  }
  if (!view->sender.empty()) {
    auto sender = ActorId::parse(view->sender);
    if (!sender) return Error(Cause::kProtocol, sender.error().text());
    envelope.sender = *std::move(sender);
  }
  envelope.payload.assign(view->payload.begin(), view->payload.end());
  return envelope;
}

Bytes forwarded_envelope(ByteView frame, std::uint8_t ttl, std::uint64_t call) {
  Bytes copy(frame.begin(), frame.end());
  copy[kTtlAt] = ttl;
  for (std::size_t i = 0; i < 8; ++i, call >>= 8) copy[kCallAt + i] = static_cast<std::uint8_t>(call);
  return copy;
}

}  // namespace hostmesh
