#include "hostmesh/shape/slice.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "random_region.hpp"

namespace hostmesh {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

std::vector<Rank> walk(const Slice& slice) {
  return {slice.begin(), slice.end()};
}

TEST(Slice, WithoutDimensionsIsItsOffsetAlone) {
  EXPECT_EQ(walk(Slice()), (std::vector<Rank>{0}));
  EXPECT_EQ(walk(*Slice::make(7, {}, {})), (std::vector<Rank>{7}));
}

TEST(Slice, RowMajorCountsFromZero) {
  const Slice slice = *Slice::row_major({2, 3});
  EXPECT_EQ(slice.strides(), (std::vector<std::uint64_t>{3, 1}));
  EXPECT_EQ(walk(slice), (std::vector<Rank>{0, 1, 2, 3, 4, 5}));
  EXPECT_TRUE(slice.is_contiguous());
}

TEST(Slice, StridesMayComeInAnyOrder) {
  const auto slice = Slice::make(0, {2, 2, 2}, {4, 32, 1});
  ASSERT_TRUE(slice) << slice.error().text();
  EXPECT_EQ(walk(*slice), (std::vector<Rank>{0, 1, 32, 33, 4, 5, 36, 37}));
  EXPECT_FALSE(slice->is_contiguous());
  EXPECT_EQ(slice->index(36), 6U);
}

TEST(Slice, ADimensionOfSizeOneMayHaveAnyStrideButZero) {
  EXPECT_EQ(walk(*Slice::make(2, {1, 2}, {2, 1})), (std::vector<Rank>{2, 3}));
  EXPECT_EQ(walk(*Slice::make(0, {2, 1}, {1, 1})), (std::vector<Rank>{0, 1}));
  EXPECT_TRUE(Slice::make(5, {1}, {kMax}));
  EXPECT_FALSE(Slice::make(0, {1}, {0}));
}

TEST(Slice, RepeatedAndTooSmallStridesAreRefused) {
  EXPECT_FALSE(Slice::make(0, {2, 2}, {1, 1}));
  EXPECT_FALSE(Slice::make(0, {2, 3}, {2, 1}));
  EXPECT_FALSE(Slice::make(0, {2, 3, 2}, {4, 2, 1}));
  EXPECT_FALSE(Slice::make(0, {2}, {1, 1}));
  EXPECT_FALSE(Slice::make(0, {2}, {0}));
}

TEST(Slice, RanksThatDoNotFitAreRefused) {
  EXPECT_TRUE(Slice::make(0, {kMax}, {1}));
  EXPECT_FALSE(Slice::make(2, {kMax}, {1}));
  EXPECT_FALSE(Slice::make(0, {3}, {kMax}));
  EXPECT_FALSE(Slice::make(kMax, {2}, {1}));
  EXPECT_TRUE(Slice::make(kMax, {}, {}));
  EXPECT_FALSE(Slice::make(0, {2, std::uint64_t{1} << 63}, {std::uint64_t{1} << 63, 1}));
  EXPECT_FALSE(Slice::row_major({std::uint64_t{1} << 32, std::uint64_t{1} << 32}));
}

TEST(Slice, ASizeOfZeroHoldsNoRank) {
  const Slice slice = *Slice::make(3, {2, 0}, {4, 1});
  EXPECT_EQ(slice.num_ranks(), 0U);
  EXPECT_TRUE(walk(slice).empty());
  EXPECT_FALSE(slice.contains(3));
  EXPECT_EQ(slice.get(0), std::nullopt);
}

TEST(Slice, LocationRefusesWrongCoordinates) {
  const Slice slice = *Slice::make(8, {4, 5}, {1, 4});
  EXPECT_EQ(*slice.location(std::vector<std::uint64_t>{1, 2}), 17U);
  EXPECT_EQ(slice.location(std::vector<std::uint64_t>{1}).error().text(),
            "dimension mismatch: expected 2, got 1");
  EXPECT_EQ(slice.location(std::vector<std::uint64_t>{1, 5}).error().text(),
            "out of range: dim size 5; does not contain index 5");
}

TEST(Slice, EachRankComesOnceAndBothDirectionsAgree) {
  testing::Random random(1);
  for (int round = 0; round < 2000; ++round) {
    const Slice slice = testing::random_region(random).slice();
    const std::vector<Rank> ranks = walk(slice);
    ASSERT_EQ(ranks.size(), slice.num_ranks());
    ASSERT_EQ(std::set<Rank>(ranks.begin(), ranks.end()).size(), ranks.size());
    for (std::uint64_t i = 0; i < ranks.size(); ++i) {
      ASSERT_EQ(slice.get(i), ranks[i]);
      ASSERT_EQ(slice.index(ranks[i]), i);
      ASSERT_EQ(*slice.location(*slice.coordinates(ranks[i])), ranks[i]);
    }
    ASSERT_EQ(slice.get(ranks.size()), std::nullopt);
    const std::set<Rank> members(ranks.begin(), ranks.end());
    for (Rank rank = 0; rank < *members.rbegin() + 5; ++rank) {
      ASSERT_EQ(slice.contains(rank), members.contains(rank)) << rank;
    }
    bool contiguous = true;
    for (std::uint64_t i = 0; i < ranks.size(); ++i)
      contiguous = contiguous && ranks[i] == slice.offset() + i;
    ASSERT_EQ(slice.is_contiguous(), contiguous);
  }
}

}  // namespace
}  // namespace hostmesh
