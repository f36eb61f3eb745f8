#include <gtest/gtest.h>

#include "hostmesh/channel/detail/handshake_messages.hpp"

namespace hostmesh::detail {
namespace {

ClientHello some_hello() {
  ClientHello hello;
  hello.max_message = 1234;
  hello.claim = {.role = Role::kChild, .allocation = "a", .rank = 3, .incarnation = 2, .process = "unix:@p"};
  hello.nonce.fill(7);
  return hello;
}

TEST(Handshake, BytesOfTheDiallersHelloAreFixed) {
  Bytes expected{'H', 'M', 'S', 'H', 65, 0, 1, 0, 1, 0, 0xd2, 4, 0, 0, 1, 3, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0};
  expected.insert(expected.end(), 32, 7);
  for (const int byte :
       {1, 0, int('a'), 7, 0, int('u'), int('n'), int('i'), int('x'), int(':'), int('@'), int('p')}) {
    expected.push_back(static_cast<std::uint8_t>(byte));
  }
  EXPECT_EQ(encode(some_hello()), expected);
}

TEST(Handshake, MessagesDecodeToWhatWasEncoded) {
  const auto hello = decode_client_hello(encode(some_hello()));
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->claim, some_hello().claim);
  EXPECT_EQ(hello->max_message, 1234U);
  EXPECT_EQ(hello->nonce, some_hello().nonce);

  Bytes answer = encode_without_proof({.version = 1, .max_message = 99, .identity = "me"});
  answer.insert(answer.end(), 32, 5);
  const auto server = decode_server_hello(answer);
  ASSERT_TRUE(server.has_value());
  EXPECT_EQ(server->identity, "me");
  EXPECT_EQ(server->max_message, 99U);
  EXPECT_EQ(server->proof[31], 5);

  const auto refusal = decode_server_hello(encode_without_proof({.verdict = Verdict::kBusy}));
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->verdict, Verdict::kBusy);

  const auto finish = decode_client_finish(encode(ClientFinish{.verdict = Verdict::kProof}));
  ASSERT_TRUE(finish.has_value());
  EXPECT_EQ(finish->verdict, Verdict::kProof);
}

TEST(Handshake, WhatALaterVersionAddsIsSkipped) {
  Bytes message = encode(some_hello());
  message.insert(message.end(), 10, 0xff);
  message[4] = static_cast<std::uint8_t>(message[4] + 10);
  EXPECT_TRUE(decode_client_hello(message).has_value());
}

TEST(Handshake, EveryTruncationIsAnError) {
  const Bytes whole = encode(some_hello());
  for (std::size_t size = kHandshakeHeader; size < whole.size(); ++size) {
    Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode_client_hello(cut).has_value());
    cut[4] = static_cast<std::uint8_t>(size - kHandshakeHeader);
    EXPECT_FALSE(decode_client_hello(cut).has_value()) << size;
  }
}

TEST(Handshake, VersionsThatDoNotOverlapNameBothSides) {
  EXPECT_EQ(*choose_version({1, 3}, {2, 5}), 3);
  EXPECT_EQ(*choose_version({1, 1}, {1, 1}), 1);
  const auto none = choose_version({7, 9}, {1, 1});
  ASSERT_FALSE(none.has_value());
  EXPECT_NE(none.error().text().find("the dialler speaks 7 to 9, the listener only 1"), std::string::npos);
}

TEST(HandshakeReader, TakesByteByByteAndNeverMoreThanItsMessage) {
  const Bytes whole = encode(some_hello());
  HandshakeReader reader(HandshakeStep::kClientHello);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    ASSERT_GT(reader.wanted(), 0U);
    ASSERT_LE(reader.wanted(), whole.size() - i);
    ASSERT_TRUE(reader.take(ByteView(whole).subspan(i, 1)).has_value());
  }
  EXPECT_EQ(reader.wanted(), 0U);
  EXPECT_EQ(Bytes(reader.message().begin(), reader.message().end()), whole);
}

TEST(HandshakeReader, AWrongMagicIsRefusedAtItsFirstWrongByte) {
  HandshakeReader reader(HandshakeStep::kClientHello);
  ASSERT_TRUE(reader.take(Bytes{'H'}).has_value());
  EXPECT_FALSE(reader.take(Bytes{'T'}).has_value());
}

TEST(HandshakeReader, ALengthOverTheBoundIsRefusedFromTheHeaderAlone) {
  HandshakeReader reader(HandshakeStep::kClientHello);
  EXPECT_FALSE(reader.take(Bytes{'H', 'M', 'S', 'H', 0xff, 0xff}).has_value());
}

TEST(PeerClaim, EachPartButTheProcessChangesTheKey) {
  const Secret secret = Secret::random();
  const PeerClaim base{.role = Role::kChild, .allocation = "a", .rank = 1, .incarnation = 1, .process = "p"};
  const auto same_key = [&](const PeerClaim& other) {
    const auto one = key_for(secret, base);
    const auto two = key_for(secret, other);
    return std::equal(one.bytes().begin(), one.bytes().end(), two.bytes().begin());
  };
  PeerClaim other = base;
  other.process = "q";
  EXPECT_TRUE(same_key(other));
  other = base, other.role = Role::kPeer;
  EXPECT_FALSE(same_key(other));
  other = base, other.allocation = "b";
  EXPECT_FALSE(same_key(other));
  other = base, other.rank = 2;
  EXPECT_FALSE(same_key(other));
  other = base, other.incarnation = 2;
  EXPECT_FALSE(same_key(other));
}

}  // namespace
}  // namespace hostmesh::detail
