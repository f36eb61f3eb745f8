// Envelopes and the ids in them: whatever parses, parses back from its own text and bytes.
#include <cstdint>

#include "hostmesh/actor/envelope.hpp"

namespace {

using namespace hostmesh;

template <class Id>
void parse_back(std::string_view text) {
  const auto id = Id::parse(text);
  if (!id) return;
  const auto again = Id::parse(id->text());
  HOSTMESH_ASSERT(again && *again == *id, "the text of an id parses back");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const ByteView input(data, size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  parse_back<ProcId>(text);
  parse_back<ActorId>(text);
  parse_back<PortId>(text);
  const auto view = view_envelope(input);
  if (!view) return 0;
  const Bytes frame = forwarded_envelope(input, view->ttl, view->call);
  const auto forwarded = view_envelope(frame);
  HOSTMESH_ASSERT(forwarded && forwarded->dest == view->dest, "forwarding changes two fields");
  const auto envelope = decode_envelope(input);
  if (!envelope) return 0;
  const auto again = decode_envelope(encode_envelope(*envelope));
  HOSTMESH_ASSERT(again && again->dest == envelope->dest && again->sender == envelope->sender &&
                      again->payload == envelope->payload,
                  "what was encoded decodes to the same");
  return 0;
}
