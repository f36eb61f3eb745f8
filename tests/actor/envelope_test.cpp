#include "hostmesh/actor/envelope.hpp"

#include <gtest/gtest.h>

#include <random>

namespace hostmesh {
namespace {

Envelope sample() {
  return Envelope{.kind = EnvelopeKind::kCall,
                  .dest = PortId{{ProcId::ranked("w", 1), "b", 0}, 7},
                  .sender = ActorId{ProcId::ranked("w", 2), "a", 0},
                  .call = 0x0102,
                  .ttl = 64,
                  .payload = {9, 8}};
}

TEST(Envelope, HasFrozenBytes) {
  const Bytes expected = {1,  2, 64, 0, 2,   1,   0,   0,   0,   0,   0,   0,  // tag, kind, ttl, -, call
                          12, 0, 0,  0, 'w', '[', '1', ']', '.', 'b', '[', '0', ']', '[', '7', ']',  // dest
                          9,  0, 0,  0, 'w', '[', '2', ']', '.', 'a', '[', '0', ']',                 // sender
                          9,  8};
  EXPECT_EQ(encode_envelope(sample()), expected);
}

TEST(Envelope, ReadsBackWhatItWrote) {
  const auto back = decode_envelope(encode_envelope(sample()));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->kind, EnvelopeKind::kCall);
  EXPECT_EQ(back->dest, sample().dest);
  EXPECT_EQ(back->sender, sample().sender);
  EXPECT_EQ(back->call, sample().call);
  EXPECT_EQ(back->ttl, sample().ttl);
  EXPECT_EQ(back->payload, sample().payload);
}

TEST(Envelope, IsForwardedWithNothingElseChanged) {
  Envelope expected = sample();
  expected.ttl = 63;
  expected.call = 0xfedcba9876543210ULL;
  EXPECT_EQ(forwarded_envelope(encode_envelope(sample()), 63, 0xfedcba9876543210ULL),
            encode_envelope(expected));
}

TEST(Envelope, TruncatedInItsHeaderIsRefused) {
  const Bytes whole = encode_envelope(sample());
  for (std::size_t size = 0; size + sample().payload.size() < whole.size(); ++size) {
    EXPECT_FALSE(view_envelope(ByteView(whole).first(size))) << size;
  }
}

TEST(Envelope, OfUnknownKindIsRefused) {
  for (const int kind : {0, 7, 255}) {
    Bytes bytes = encode_envelope(sample());
    bytes[1] = static_cast<std::uint8_t>(kind);
    const auto view = view_envelope(bytes);
    ASSERT_FALSE(view);
    EXPECT_EQ(view.error().cause(), Cause::kProtocol);
  }
}

TEST(Envelope, SurvivesMutations) {
  std::mt19937_64 random(7);
  const Bytes whole = encode_envelope(sample());
  for (int round = 0; round < 20000; ++round) {
    Bytes mutant = whole;
    for (auto edits = 1 + random() % 3; edits > 0; --edits) {
      mutant[random() % mutant.size()] = static_cast<std::uint8_t>(random());
    }
    const auto envelope = decode_envelope(mutant);
    if (envelope) {
      EXPECT_TRUE(decode_envelope(encode_envelope(*envelope)));
    } else {
      EXPECT_EQ(envelope.error().cause(), Cause::kProtocol);
    }
  }
}

}  // namespace
}  // namespace hostmesh
