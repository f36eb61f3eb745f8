#include "hostmesh/shape/extent.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <set>

namespace hostmesh {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(Extent, TextNamesEachDimensionWithItsSize) {
  EXPECT_EQ((Extent{{"x", 4}, {"y", 5}, {"z", 6}}).text(), "{x: 4, y: 5, z: 6}");
}

TEST(Extent, LabelsThatAreNotWordsAreQuoted) {
  EXPECT_EQ((Extent{{"dim/0", 4}, {"dim/1", 5}}).text(), R"({"dim/0": 4, "dim/1": 5})");
  EXPECT_EQ((Extent{{"a\"b\\c\nd\te\rf", 1}}).text(), R"({"a\"b\\c\nd\te\rf": 1})");
}

TEST(Extent, WithoutDimensionsIsOneRankAtTheEmptyPoint) {
  const Extent unity;
  EXPECT_EQ(unity.text(), "{}");
  EXPECT_EQ(unity.num_ranks(), 1U);
  ASSERT_TRUE(unity.point_of_rank(0));
  EXPECT_EQ(unity.point_of_rank(0)->text(), "");
  EXPECT_FALSE(unity.point_of_rank(1));
}

TEST(Extent, ItsTextParsesBack) {
  for (const Extent& extent : {Extent(), Extent{{"x", 4}, {"y", 0}}, Extent{{"dim/0", 4}, {"dim,1", 5}},
                               Extent{{"a\"b\\c\nd\te\rf", 1}, {"0", kMax}}}) {
    const auto parsed = Extent::parse(extent.text());
    ASSERT_TRUE(parsed) << parsed.error().text();
    EXPECT_EQ(*parsed, extent);
  }
  EXPECT_EQ(*Extent::parse(" { x : 4 ,y:5 } "), (Extent{{"x", 4}, {"y", 5}}));
}

TEST(Extent, TextsThatAreNotExtentsAreRefused) {
  for (const char* text : {"",
                           "x",
                           "{",
                           "}",
                           "{x}",
                           "{x:}",
                           "{x: 4",
                           "{x: 4,}",
                           "{: 4}",
                           "{x: -1}",
                           "{x: 4} y",
                           "{} {}",
                           "{x: 99999999999999999999}",
                           "{x: 1, x: 2}",
                           "{\"\": 1}",
                           "{\"x: 1}",
                           "{\"\\u\": 1}",
                           "{\"\\",
                           "{x: 4294967296, y: 4294967296}",
                           "{x=4}"}) {
    const auto parsed = Extent::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().cause(), Cause::kInvalidArgument) << text;
  }
}

TEST(Extent, CommandLineFormIsLabelsAndSizes) {
  EXPECT_EQ(*Extent::parse_arguments("hosts=2,gpus=4"), (Extent{{"hosts", 2}, {"gpus", 4}}));
  EXPECT_EQ(*Extent::parse_arguments("hosts=2"), (Extent{{"hosts", 2}}));
  for (const char* text : {"", "hosts", "hosts=", "=2", "hosts=two", "hosts=2,", "hosts=2;gpus=4",
                           "hosts=2,hosts=3", "hosts=-1", "hosts=2/1", "hosts=1.5", "{hosts: 2}"}) {
    EXPECT_FALSE(Extent::parse_arguments(text)) << text;
  }
}

TEST(Extent, AParseErrorRepeatsTheTextAndSaysWhatWasExpectedWhere) {
  EXPECT_EQ(Extent::parse_arguments("hosts=two").error().text(),
            "'hosts=two' is not an extent such as hosts=2,gpus=4: expected a number at character 7");
}

TEST(Extent, AParseErrorDoesNotRepeatAnEndlessText) {
  const std::string endless(100'000, 'x');
  EXPECT_LT(Extent::parse(endless).error().text().size(), 500U);
}

TEST(Extent, EmptyAndRepeatedLabelsAndTooManyRanksAreErrors) {
  EXPECT_FALSE(Extent::make({""}, {1}));
  EXPECT_FALSE(Extent::make({"x", "x"}, {1, 2}));
  EXPECT_FALSE(Extent::make({"x", "y"}, {1}));
  EXPECT_FALSE(Extent::make({"x", "y"}, {std::uint64_t{1} << 32, std::uint64_t{1} << 32}));
  EXPECT_TRUE(Extent::make({"x"}, {kMax}));
  EXPECT_THROW((Extent{{"x", 1}, {"x", 1}}), Error);
}

TEST(Extent, ASizeOfZeroMeansNoRanks) {
  const Extent extent{{"x", 3}, {"y", 0}};
  EXPECT_EQ(extent.num_ranks(), 0U);
  EXPECT_FALSE(extent.point_of_rank(0));
  EXPECT_FALSE(extent.point({0, 0}));
  const auto points = extent.points();
  EXPECT_TRUE(points.begin() == points.end());
}

TEST(Extent, KnowsPositionsAndSizesByLabel) {
  const Extent extent{{"x", 4}, {"y", 5}};
  EXPECT_EQ(extent.position("y"), 1U);
  EXPECT_EQ(extent.size("y"), 5U);
  EXPECT_EQ(extent.position("z"), std::nullopt);
  EXPECT_EQ(extent.size("z"), std::nullopt);
  EXPECT_EQ(extent.labels(), (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(extent.sizes(), (std::vector<std::uint64_t>{4, 5}));
}

TEST(Extent, PointsComeInRowMajorRankOrder) {
  const Extent extent{{"x", 4}, {"y", 5}, {"z", 6}};
  Rank expected = 0;
  for (const Point& point : extent.points()) {
    EXPECT_EQ(point.rank(), expected);
    EXPECT_EQ(*extent.rank_of_coords(point.coords()), expected);
    EXPECT_EQ(*extent.point_of_rank(expected), point);
    ++expected;
  }
  EXPECT_EQ(expected, 120U);
  EXPECT_EQ(extent.point_of_rank(1 * 30 + 2 * 6 + 3)->coords(), (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST(Extent, LookUpsBeyondItSayWhatWasExpected) {
  const Extent extent{{"x", 4}, {"y", 5}};
  EXPECT_EQ(extent.point({1}).error().text(), "dimension mismatch: expected 2, got 1");
  EXPECT_EQ(extent.rank_of_coords(std::vector<std::uint64_t>{1, 2, 3}).error().text(),
            "dimension mismatch: expected 2, got 3");
  EXPECT_EQ(extent.point_of_rank(20).error().text(),
            "out of range: total ranks 20; does not contain rank 20");
  EXPECT_EQ(extent.point({1, 5}).error().text(), "out of range: dim size 5; does not contain index 5");
}

TEST(Extent, ConcatAppendsDimensionsAndIsAssociativeWithUnityNeutral) {
  const Extent a{{"x", 2}};
  const Extent b{{"y", 3}};
  const Extent c{{"z", 4}, {"w", 5}};
  EXPECT_EQ(*a.concat(b), (Extent{{"x", 2}, {"y", 3}}));
  EXPECT_EQ(*a.concat(b)->concat(c), *a.concat(*b.concat(c)));
  EXPECT_NE(*a.concat(b), *b.concat(a));
  EXPECT_EQ(*a.concat(Extent()), a);
  EXPECT_EQ(*Extent().concat(a), a);
}

TEST(Extent, ConcatNamesTheFirstSharedLabel) {
  const Extent a{{"y", 2}, {"x", 2}};
  EXPECT_EQ(a.concat(Extent{{"z", 1}, {"x", 2}, {"y", 2}}).error().text(), "overlapping label found: x");
  EXPECT_EQ(a.concat(a).error().text(), "overlapping label found: y");
}

TEST(Extent, ConcatThatWouldOverflowIsAnError) {
  EXPECT_FALSE((Extent{{"x", kMax}}).concat(Extent{{"y", 2}}));
}

}  // namespace
}  // namespace hostmesh
