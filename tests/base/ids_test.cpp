#include "hostmesh/base/ids.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace hostmesh {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(ShortUuid, ZeroIsTwelveOnesBehindAnUnderscore) {
  EXPECT_EQ(ShortUuid(0).text(), "_111111111111");
  EXPECT_EQ(ShortUuid(0).digits(), "111111111111");
  EXPECT_EQ(ShortUuid(57).digits(), "11111111111Z");
}

TEST(ShortUuid, EveryValueParsesBack) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 1000; ++round) {
    const ShortUuid id(random());
    ASSERT_EQ(*ShortUuid::parse(id.text()), id);
    ASSERT_EQ(*ShortUuid::parse(id.digits()), id);
    ASSERT_EQ(id.digits().size(), 12U);
  }
  EXPECT_EQ(*ShortUuid::parse(ShortUuid(kMax).text()), ShortUuid(kMax));
}

TEST(ShortUuid, WhatIsNoneIsRefused) {
  for (const char* text : {"", "_", "l", "I", "O", "0", "1111111111111", "ZZZZZZZZZZZZ", "a b"}) {
    EXPECT_FALSE(ShortUuid::parse(text)) << text;
  }
}

TEST(ShortUuid, RandomOnesDiffer) {
  EXPECT_NE(ShortUuid::random(), ShortUuid::random());
}

TEST(Name, AUniqueNameIsItsBaseAndAUuid) {
  const Name name = *Name::unique("train");
  EXPECT_EQ(name.base(), "train");
  EXPECT_TRUE(name.text().starts_with("train-"));
  EXPECT_EQ(*Name::parse(name.text()), name);
  EXPECT_NE(*Name::unique("train"), name);
  EXPECT_EQ(Name::unique("")->base(), "unnamed");
}

TEST(Name, AReservedNameIsJustItsBase) {
  EXPECT_EQ(Name::reserved("service")->text(), "service");
  EXPECT_EQ(*Name::parse("service"), *Name::reserved("service"));
  EXPECT_NE(*Name::parse("service"), *Name::unique("service"));
}

TEST(Name, WhatIsNotAnIdentifierIsRefused) {
  for (const char* text : {"", "1a", "a b", "a-", "a-l", "-a", "a:b", "ä"})
    EXPECT_FALSE(Name::parse(text)) << text;
  EXPECT_FALSE(Name::reserved(""));
  EXPECT_FALSE(Name::unique("a-b"));
}

TEST(Fnv1a64, IsTheOneOnTheWire) {
  EXPECT_EQ(fnv1a64(""), 0xcbf29ce484222325ULL);
  EXPECT_EQ(fnv1a64("a"), 0xaf63dc4c8601ec8cULL);
  EXPECT_EQ(fnv1a64("foobar"), 0x85944171f73967e8ULL);
}

}  // namespace
}  // namespace hostmesh
