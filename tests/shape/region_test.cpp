#include "hostmesh/shape/region.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <set>

#include "random_region.hpp"

namespace hostmesh {
namespace {

using testing::pick;
using testing::Random;
using testing::random_part;
using testing::random_region;

std::vector<Rank> interval(Rank begin, Rank end) {
  std::vector<Rank> ranks;
  for (Rank rank = begin; rank < end; ++rank) ranks.push_back(rank);
  return ranks;
}

TEST(Region, OfAnExtentIsAllOfItInOrder) {
  const Region region = Extent{{"replica", 2}, {"host", 2}};
  EXPECT_EQ(region.text(), "replica=2/2,host=2/1");
  EXPECT_EQ(region.extent(), (Extent{{"replica", 2}, {"host", 2}}));
  EXPECT_EQ(region.base_ranks(), interval(0, 4));
  EXPECT_EQ(Region().text(), "");
  EXPECT_EQ(Region().num_ranks(), 1U);
}

TEST(Region, TextsParseBackToThemselves) {
  for (const char* text :
       {"", "5+", "x=2/1,y=3/2", R"(8+"dim/0"=4/1,"dim,1"=5/4)", R"(122+"d/0"=1/30,"d/1"=5/6,"d/2"=4/1)",
        "replica=2/2,host=2/1", "2+replica=1/2,host=2/1", "8=2/1", "3+8=2/1", "x=0/1"}) {
    const auto region = Region::parse(text);
    ASSERT_TRUE(region) << region.error().text();
    EXPECT_EQ(region->text(), text);
  }
  EXPECT_EQ(Region::parse(" 8 + x = 4 / 1 , y = 5 / 4 ")->text(), "8+x=4/1,y=5/4");
}

TEST(Region, TextsThatAreNotRegionsAreRefused) {
  for (const char* text : {"+",
                           "x",
                           "x=",
                           "x=2",
                           "x=2/",
                           "x=/1",
                           "=2/1",
                           "x=2/1,",
                           ",x=2/1",
                           "x=2/1y=3/2",
                           "x=2/1,x=3/2",
                           "x=2/0",
                           "x=2/1,y=2/1",
                           "x=2/1 z",
                           "-1+x=2/1",
                           "8+8+x=2/1",
                           "8 x=2/1",
                           "8",
                           "x=-2/1",
                           "x=2.5/1",
                           "x=99999999999999999999/1",
                           "99999999999999999999+x=2/1",
                           "x=2/99999999999999999999",
                           "x=3/18446744073709551615",
                           "18446744073709551615+x=2/1",
                           "x=2/9223372036854775808,y=9223372036854775808/1",
                           "\"x=2/1",
                           "\"\"=2/1",
                           "\"\\q\"=2/1",
                           "\"x\\",
                           "@x=2/1",
                           "x=2/1@"}) {
    const auto region = Region::parse(text);
    ASSERT_FALSE(region) << text;
    EXPECT_EQ(region.error().cause(), Cause::kInvalidArgument) << text;
  }
}

TEST(Region, RandomGarbageNeverCrashesTheParserAndWhatParsesRoundTrips) {
  Random random(2);
  constexpr std::string_view kAlphabet = "xy019+=/,,==//\"\\n @\t";
  int parsed = 0;
  for (int round = 0; round < 50'000; ++round) {
    std::string text;
    for (std::uint64_t i = pick(random, 0, 14); i > 0; --i)
      text += kAlphabet[pick(random, 0, kAlphabet.size() - 1)];
    if (const auto region = Region::parse(text)) {
      ++parsed;
      ASSERT_EQ(*Region::parse(region->text()), *region) << text;
    }
    const auto point = Point::parse(text);
    ASSERT_TRUE(!point || *Point::parse(point->text()) == *point) << text;
  }
  EXPECT_GT(parsed, 0);
}

TEST(Region, RandomRegionsRoundTripThroughText) {
  Random random(3);
  for (int round = 0; round < 5000; ++round) {
    const Region region = random_region(random);
    const auto parsed = Region::parse(region.text());
    ASSERT_TRUE(parsed) << region.text() << ": " << parsed.error().text();
    ASSERT_EQ(*parsed, region);
    ASSERT_EQ(*Extent::parse(region.extent().text()), region.extent());
  }
}

TEST(Region, AnIntegerRangeKeepsTheDimensionAndTheBaseCoordinates) {
  const Region hosts = *Region::parse("replica=2/2,host=2/1");
  EXPECT_EQ(hosts.range("replica", 1)->text(), "2+replica=1/2,host=2/1");
  const Region region = Extent{{"replica", 8}, {"gpu", 4}};
  EXPECT_EQ(region.range("replica", 1)->extent(), (Extent{{"replica", 1}, {"gpu", 4}}));
}

TEST(Region, ARangeSelectsRanksInOrder) {
  const Region region = Extent{{"x", 4}, {"y", 4}};
  EXPECT_EQ(region.base_ranks(), interval(0, 16));
  EXPECT_EQ(region.range("y", 1)->base_ranks(), (std::vector<Rank>{1, 5, 9, 13}));
  EXPECT_EQ(region.range("x", Range::from(2))->base_ranks(), interval(8, 16));
  EXPECT_EQ(*region.range("x", Range::all()), region);
  EXPECT_EQ(region.range("y", Range{.begin = 1, .step = 2})->range("x", 0)->base_ranks(),
            (std::vector<Rank>{1, 3}));
  EXPECT_EQ(
      region.range("x", Range{.begin = 3, .step = std::numeric_limits<std::uint64_t>::max()})->base_ranks(),
      interval(12, 16));
}

TEST(Region, ASingleIndexKeepsTheStrideWhateverTheStep) {
  const Region region = Extent{{"x", 4}, {"y", 4}};
  EXPECT_EQ(region.range("x", Range{.begin = 3, .step = std::uint64_t{1} << 63})->text(), "12+x=1/4,y=4/1");
}

TEST(Region, TheEndOfARangeIsClamped) {
  const Region region = Extent{{"x", 4}};
  EXPECT_EQ(region.range("x", {.begin = 2, .end = 100})->base_ranks(), interval(2, 4));
}

TEST(Region, ARangeThatSelectsNothingIsAnError) {
  const Region region = Extent{{"x", 4}};
  EXPECT_EQ(region.range("x", {.begin = 2, .end = 2}).error().text(),
            "empty range: 2..2 selects nothing of dimension x of size 4");
  EXPECT_FALSE(region.range("x", {.begin = 3, .end = 1}));
  EXPECT_FALSE(region.range("x", 4));
  EXPECT_FALSE(region.range("x", std::numeric_limits<std::uint64_t>::max()));
  EXPECT_FALSE(region.range("x", Range::from(4)));
  EXPECT_FALSE(region.range("x", {.step = 0}));
  EXPECT_FALSE(Region(Extent{{"x", 0}}).range("x", Range::all()));
}

TEST(Region, AnUnknownLabelIsAnErrorThatNamesTheKnownOnes) {
  EXPECT_EQ(Region(Extent{{"x", 4}, {"y/z", 4}}).range("q", 0).error().text(),
            "no dimension is labelled q; there is x, \"y/z\"");
  EXPECT_FALSE(Region().range("q", 0));
}

TEST(Region, RangesComposeAsIndexingDoes) {
  Random random(4);
  for (int round = 0; round < 3000; ++round) {
    const Region region = random_region(random);
    if (region.labels().empty()) continue;
    const std::size_t i = pick(random, 0, region.labels().size() - 1);
    const Range range{.begin = pick(random, 0, 5), .end = pick(random, 0, 7), .step = pick(random, 1, 3)};
    std::vector<Rank> expected;
    for (const Point& point : region.extent().points()) {
      const std::uint64_t c = point.coords()[i];
      if (c >= range.begin && c < *range.end && (c - range.begin) % range.step == 0) {
        expected.push_back(*region.base_rank_of_point(point));
      }
    }
    const auto part = region.range(region.labels()[i], range);
    ASSERT_EQ(part.has_value(), !expected.empty()) << region << " " << range;
    ASSERT_TRUE(!part || part->base_ranks() == expected) << region << " " << range;
  }
}

TEST(Region, SubsetIsByBaseRanksAndLabels) {
  const Region region = Extent{{"x", 5}, {"y", 4}};
  const Region x = *region.range("x", {.begin = 1, .end = 4});
  const Region xy = *x.range("y", {.begin = 1, .end = 3});
  EXPECT_TRUE(region.is_subset_of(region));
  EXPECT_TRUE(x.is_subset_of(region));
  EXPECT_TRUE(xy.is_subset_of(x));
  EXPECT_FALSE(x.is_subset_of(xy));
  EXPECT_FALSE(region.range("x", {.begin = 0, .end = 2})->is_subset_of(x));
  EXPECT_FALSE(Region(Extent{{"a", 5}, {"y", 4}}).is_subset_of(region));
  EXPECT_FALSE(Region(Extent{{"x", 5}}).is_subset_of(region));
  EXPECT_EQ(*region.subset(xy), xy);
  EXPECT_EQ(xy.subset(x).error().text(), "region 4+x=3/4,y=4/1 is not a subset of 5+x=3/4,y=2/1");
}

TEST(Region, RemapGivesOwnRanksOfAPart) {
  const Region region = Extent{{"x", 4}, {"y", 4}};
  EXPECT_EQ(region.remap(region), interval(0, 16));
  const Region x = *region.range("x", Range::from(2));
  EXPECT_EQ(region.remap(x), interval(8, 16));
  EXPECT_EQ(region.remap(*x.range("y", 1)), (std::vector<Rank>{9, 13}));
  const Region replica = *Region(Extent{{"replica", 8}, {"gpu", 4}}).range("replica", 1);
  EXPECT_EQ(replica.remap(*replica.range("gpu", {.begin = 1, .end = 3})), (std::vector<Rank>{1, 2}));
  EXPECT_EQ(x.remap(region), std::nullopt);
  EXPECT_EQ(region.remap(Region(Extent{{"x", 4}, {"z", 4}})), std::nullopt);
}

TEST(Region, RemapFollowsIterationOrder) {
  // Given the same four ranks, walked down the columns and along the rows.
  const Region columns = *Region::parse("x=2/1,y=2/2");
  const Region rows = *Region::parse("y=2/2,x=2/1");
  ASSERT_EQ(columns.base_ranks(), (std::vector<Rank>{0, 2, 1, 3}));
  EXPECT_EQ(columns.remap(rows), (std::vector<Rank>{0, 2, 1, 3}));
  EXPECT_EQ(columns.remap(*columns.range("x", 1)), (std::vector<Rank>{2, 3}));
}

TEST(Region, RemapAndSubsetAgreeWithBruteForce) {
  Random random(5);
  int parts = 0;
  for (int round = 0; round < 5000; ++round) {
    const Region whole = random_region(random);
    const Region base = pick(random, 0, 3) == 0 ? random_region(random) : whole;
    const Region part = random_part(random, base);
    std::map<Rank, Rank> own;
    for (const Rank base_rank : whole.base_ranks()) own.emplace(base_rank, own.size());
    const std::set<std::string> whole_labels(whole.labels().begin(), whole.labels().end());
    bool contained = whole_labels == std::set<std::string>(part.labels().begin(), part.labels().end());
    std::vector<Rank> expected;
    for (const Rank base_rank : part.base_ranks()) {
      contained = contained && own.contains(base_rank);
      if (contained) expected.push_back(own.at(base_rank));
    }
    ASSERT_EQ(part.is_subset_of(whole), contained) << part << " of " << whole;
    const auto remapped = whole.remap(part);
    ASSERT_EQ(remapped.has_value(), contained) << part << " of " << whole;
    if (contained) {
      ++parts;
      ASSERT_EQ(*remapped, expected) << part << " of " << whole;
    }
  }
  EXPECT_GT(parts, 1000);
}

TEST(Region, GroupByYieldsOneRegionPerOuterPoint) {
  const Region region = Extent{{"zone", 4}, {"host", 4}, {"gpu", 8}};
  const auto by_gpu = region.group_by("gpu");
  ASSERT_EQ(by_gpu->size(), 16U);
  EXPECT_EQ((*by_gpu)[5].text(), "40+zone=1/32,host=1/8,gpu=8/1");
  EXPECT_EQ((*by_gpu)[5].base_ranks(), interval(40, 48));
  ASSERT_EQ(region.group_by("zone")->size(), 1U);
  EXPECT_EQ(region.group_by("zone")->front(), region);
  EXPECT_FALSE(region.group_by("rack"));
}

TEST(Region, GroupsTogetherAreTheWholeInOrder) {
  Random random(6);
  for (int round = 0; round < 1000; ++round) {
    const Region region = random_region(random);
    for (const std::string& label : region.labels()) {
      std::vector<Rank> together;
      const auto groups = region.group_by(label);
      for (const Region& group : *groups) {
        ASSERT_TRUE(group.is_subset_of(region));
        for (const Rank rank : group.base_ranks()) together.push_back(rank);
      }
      ASSERT_EQ(together, region.base_ranks()) << region << " by " << label;
    }
  }
}

TEST(Region, PointsAndBaseRanksAreInverse) {
  const Region part = *Region(Extent{{"replicas", 4}, {"gpus", 2}}).range("replicas", {.begin = 1, .end = 3});
  for (Rank rank = 0; rank < 4; ++rank) {
    const Point point = *part.extent().point_of_rank(rank);
    EXPECT_EQ(*part.base_rank_of_point(point), rank + 2);
    EXPECT_EQ(*part.point_of_base_rank(rank + 2), point);
  }
  EXPECT_FALSE(part.point_of_base_rank(1));
  EXPECT_EQ(part.point_of_base_rank(6).error().text(),
            "out of range: region 2+replicas=2/2,gpus=2/1 does not contain base rank 6");
}

TEST(Region, APointOfAnotherExtentHasNoBaseRank) {
  const Region region = Extent{{"x", 4}};
  EXPECT_EQ(region.base_rank_of_point(*Point::parse("x=1/5")).error().text(),
            "point 'x=1/5' is not of extent {x: 4}");
}

TEST(Range, TextIsWhatPeopleWrite) {
  EXPECT_EQ(Range::all().text(), "..");
  EXPECT_EQ(Range::from(2).text(), "2..");
  EXPECT_EQ(Range::single(2).text(), "2..3");
  EXPECT_EQ((Range{.begin = 1, .end = 8, .step = 2}).text(), "1..8 step 2");
}

}  // namespace
}  // namespace hostmesh
