#include "hostmesh/base/secret.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

namespace hostmesh {
namespace {

ByteView bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

Secret counting() {
  std::array<std::uint8_t, Secret::kSize> bytes;
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i + 1);
  return Secret(bytes);
}

TEST(Secret, AProofHoldsForItsMessageAndSecretAlone) {
  const Secret secret = counting();
  const Proof proof = secret.prove(bytes_of("hello"));
  EXPECT_TRUE(secret.verify(bytes_of("hello"), proof));
  EXPECT_FALSE(secret.verify(bytes_of("hellO"), proof));
  EXPECT_FALSE(Secret::random().verify(bytes_of("hello"), proof));
  Proof forged = proof;
  forged[31] ^= 1;
  EXPECT_FALSE(secret.verify(bytes_of("hello"), forged));
}

TEST(Secret, DerivedKeysDependOnSecretAndLabel) {
  const auto same = [](const Secret& a, const Secret& b) { return std::ranges::equal(a.bytes(), b.bytes()); };
  const Secret secret = counting();
  EXPECT_TRUE(same(secret.derive("rank 1"), counting().derive("rank 1")));
  EXPECT_FALSE(same(secret.derive("rank 1"), secret.derive("rank 2")));
  EXPECT_FALSE(same(secret.derive("rank 1"), secret));
}

TEST(Secret, NoneVerifiesNothing) {
  const Secret none;
  EXPECT_TRUE(none.empty());
  EXPECT_FALSE(Secret::random().empty());
  EXPECT_FALSE(none.verify(bytes_of("hello"), Proof{}));
}

TEST(SecretDeathTest, NoneProvesNothing) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH((void)Secret().prove(bytes_of("hello")), "a proof with no secret");
}

TEST(Nonce, TwoDiffer) {
  EXPECT_NE(random_nonce(), random_nonce());
}

}  // namespace
}  // namespace hostmesh
