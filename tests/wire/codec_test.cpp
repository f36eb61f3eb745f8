#include "hostmesh/wire/codec.hpp"

#include <gtest/gtest.h>

#include <random>

#include "wire/sample_messages.hpp"

namespace hostmesh::wire {
namespace {

using sample::Colour;
using sample::Depth;
using sample::Inner;
using sample::Tree;

std::string hex(const Bytes& bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

template <class T>
std::string hex_of(const T& value) {
  return hex(encode(value));
}

TEST(Codec, FreezesTheBytesOfEveryKindOfField) {
  EXPECT_EQ(hex_of(true), "01");
  EXPECT_EQ(hex_of(std::int8_t{-2}), "fe");
  EXPECT_EQ(hex_of(std::uint16_t{0x1234}), "3412");
  EXPECT_EQ(hex_of(std::int32_t{-3}), "fdffffff");
  EXPECT_EQ(hex_of(std::uint64_t{1}), "0100000000000000");
  EXPECT_EQ(hex_of(1.5), "000000000000f83f");
  EXPECT_EQ(hex_of(Colour::kBlue), "0102");
  EXPECT_EQ(hex_of(Depth::kBelow), "02feff");
  EXPECT_EQ(hex_of(std::string("ab")), "020000006162");
  EXPECT_EQ(hex_of(Bytes{7, 8}), "020000000708");
  EXPECT_EQ(hex_of(std::vector<std::uint16_t>{1, 2}), "0200000001000200");
  EXPECT_EQ(hex_of(std::array<std::uint8_t, 2>{1, 2}), "0102");
  EXPECT_EQ(hex_of(std::optional<std::uint8_t>()), "00");
  EXPECT_EQ(hex_of(std::optional<std::uint8_t>(5)), "0105");
  EXPECT_EQ(hex_of(std::map<std::uint8_t, bool>{{3, true}}), "010000000301");
  EXPECT_EQ(hex_of(std::pair<std::uint8_t, bool>{3, true}), "0301");
  EXPECT_EQ(hex_of(std::variant<bool, std::uint8_t>(std::uint8_t{9})), "0109");
  EXPECT_EQ(hex_of(std::chrono::microseconds(1)), "e803000000000000");
  EXPECT_EQ(hex_of(ChannelAddr::local(7)), "070000006c6f63616c3a37");
  EXPECT_EQ(hex_of(sample::Empty{}), "00000000");
  EXPECT_EQ(hex_of(Inner{1, "a"}),
            "07000000"
            "0100"
            "0100000061");
  EXPECT_EQ(hex_of(std::tuple<std::uint8_t, bool>{1, true}), "020000000101");
  EXPECT_EQ(encode(Secret::random()).size(), Secret::kSize);
}

TEST(Codec, ReadsBackWhatItWrote) {
  const auto all = sample::everything();
  const auto back = decode<sample::Everything>(encode(all));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, all);
}

TEST(Codec, ReadsBackDefaultValues) {
  const auto back = decode<sample::Everything>(encode(sample::Everything{}));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(*back, sample::Everything{});
}

TEST(Codec, CarriesErrorsAndSecrets) {
  const Error error(ErrorInfo{.cause = Cause::kTimeout, .message = "late", .rank = 3, .last_lines = {"x"}});
  const auto error_back = decode<Error>(encode(error));
  ASSERT_TRUE(error_back);
  EXPECT_EQ(*error_back, error);
  EXPECT_EQ(error_back->text(), error.text());

  const Secret secret = Secret::random();
  const auto secret_back = decode<Secret>(encode(secret));
  ASSERT_TRUE(secret_back);
  EXPECT_TRUE(std::ranges::equal(secret_back->bytes(), secret.bytes()));
}

struct Old {
  std::uint32_t a = 1;
};
struct New {
  std::uint32_t a = 1;
  std::string b = "by default";
};
struct HoldsOld {
  Old inner;
  std::uint8_t after = 0;
};
struct HoldsNew {
  New inner;
  std::uint8_t after = 0;
};

TEST(Codec, OldReadersSkipNewFields) {
  const auto back = decode<HoldsOld>(encode(HoldsNew{{5, "new"}, 9}));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->inner.a, 5U);
  EXPECT_EQ(back->after, 9);
}

TEST(Codec, NewReadersDefaultMissingFields) {
  const auto back = decode<HoldsNew>(encode(HoldsOld{{5}, 9}));
  ASSERT_TRUE(back) << back.error().text();
  EXPECT_EQ(back->inner.a, 5U);
  EXPECT_EQ(back->inner.b, "by default");
  EXPECT_EQ(back->after, 9);
}

enum class WideColour : std::uint32_t { kGreen = 3, kVast = 70000 };

TEST(Codec, UnknownEnumValuesSurvive) {
  const auto back = decode<Colour>(encode(static_cast<Colour>(99)));
  ASSERT_TRUE(back);
  EXPECT_EQ(hex_of(*back), "0163");
}

TEST(Codec, EnumsMayGrowAndShrinkWhileTheirValuesFit) {
  EXPECT_EQ(decode<WideColour>(encode(static_cast<Colour>(3))), WideColour::kGreen);
  EXPECT_EQ(decode<Colour>(encode(WideColour::kGreen)), static_cast<Colour>(3));
  EXPECT_EQ(decode<Colour>(encode(static_cast<WideColour>(255))), static_cast<Colour>(255));
  EXPECT_FALSE(decode<Colour>(encode(static_cast<WideColour>(256))));
  EXPECT_FALSE(decode<Colour>(encode(WideColour::kVast)));
  enum class Wider : std::int64_t {};
  EXPECT_EQ(decode<Depth>(encode(static_cast<Wider>(-2))), Depth::kBelow);
  EXPECT_FALSE(decode<Depth>(encode(static_cast<Wider>(-40000))));
  EXPECT_FALSE(decode<Depth>(encode(static_cast<Wider>(40000))));
}

TEST(Codec, RefusesWhatIsNotExactlyOneValue) {
  for (const Bytes& bytes : {Bytes{}, Bytes{1, 0}, Bytes{2}}) {
    const auto value = decode<bool>(bytes);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().cause(), Cause::kProtocol);
  }
}

TEST(Codec, ErrorsSayWhatAndWhere) {
  const auto value = decode<Old>(Bytes{4, 0, 0, 0, 1});
  ASSERT_FALSE(value);
  EXPECT_NE(value.error().text().find("Old"), std::string::npos) << value.error().text();
  EXPECT_NE(value.error().text().find("at byte 4 of 5"), std::string::npos) << value.error().text();
}

TEST(Codec, RefusesForgedLengths) {
  EXPECT_FALSE(decode<std::string>(Bytes{0xff, 0xff, 0xff, 0xff, 'a'}));
  EXPECT_FALSE(decode<Bytes>(Bytes{0xff, 0xff, 0xff, 0x7f}));
  EXPECT_FALSE(decode<std::vector<Inner>>(Bytes{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0}));
  EXPECT_FALSE((decode<std::map<std::string, std::string>>(Bytes{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})));
}

TEST(Codec, RefusesAKeyThatAppearsTwice) {
  EXPECT_FALSE((decode<std::map<std::uint8_t, bool>>(Bytes{2, 0, 0, 0, 3, 1, 3, 0})));
}

TEST(Codec, RefusesAnUnknownAlternative) {
  EXPECT_FALSE((decode<std::variant<bool, std::uint8_t>>(Bytes{2, 0})));
}

TEST(Codec, RefusesEndlessNesting) {
  Tree tree;
  for (int i = 0; i < 20; ++i) tree = Tree{0, {tree}};
  EXPECT_TRUE(decode<Tree>(encode(tree)));
  for (int i = 0; i < 100; ++i) tree = Tree{0, {tree}};
  const auto back = decode<Tree>(encode(tree));
  ASSERT_FALSE(back);
  EXPECT_NE(back.error().text().find("nested"), std::string::npos) << back.error().text();
}

TEST(Codec, EveryTruncationIsRefused) {
  const Bytes whole = encode(sample::everything());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_FALSE(decode<sample::Everything>(part)) << size;
  }
}

// Whatever decodes must survive another round; under the sanitizers this finds reads out of bounds too.
TEST(Codec, MutationsAreRefusedOrDecodeToSomethingStable) {
  std::mt19937_64 random(20240607);
  const Bytes whole = encode(sample::everything());
  std::size_t decoded = 0;
  for (int round = 0; round < 20000; ++round) {
    Bytes mutant = whole;
    for (auto edits = 1 + random() % 4; edits > 0; --edits) {
      const auto at = static_cast<std::ptrdiff_t>(random() % mutant.size());
      switch (random() % 4) {
        case 0:
          mutant[static_cast<std::size_t>(at)] = static_cast<std::uint8_t>(random());
          break;
        case 1:
          mutant[static_cast<std::size_t>(at)] ^= static_cast<std::uint8_t>(1U << random() % 8);
          break;
        case 2:
          mutant.erase(mutant.begin() + at);
          break;
        case 3:
          mutant.insert(mutant.begin() + at, static_cast<std::uint8_t>(random()));
          break;
      }
    }
    const auto value = decode<sample::Everything>(mutant);
    if (!value) continue;
    ++decoded;
    const Bytes again = encode(*value);
    const auto second = decode<sample::Everything>(again);
    ASSERT_TRUE(second) << second.error().text();
    ASSERT_EQ(encode(*second), again);
  }
  EXPECT_GT(decoded, 100U);
}

}  // namespace
}  // namespace hostmesh::wire
