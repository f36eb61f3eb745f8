#include "hostmesh/shape/value_mesh.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "random_region.hpp"

namespace hostmesh {
namespace {

using testing::pick;
using testing::Random;
// Named out here, because testing::Test::Run hides Run inside a test.
using RunList = std::vector<Run<int>>;

std::vector<int> contents(const ValueMesh<int>& mesh) {
  std::vector<int> values;
  for (const int& value : mesh.values()) values.push_back(value);
  return values;
}

// Not comparable, so always dense.
struct Opaque {
  int number = 0;
};

TEST(ValueMesh, OfASingleValueIsThatValueEverywhere) {
  const auto mesh = ValueMesh<int>::from_single(Extent{{"x", 3}}, 7);
  EXPECT_EQ(contents(mesh), (std::vector<int>{7, 7, 7}));
  EXPECT_EQ(contents(ValueMesh<int>::from_default(Extent{{"x", 2}})), (std::vector<int>{0, 0}));
  EXPECT_EQ(contents(ValueMesh<int>::from_single(Extent{{"x", 0}}, 7)), std::vector<int>());
  EXPECT_EQ(contents(ValueMesh<int>()), (std::vector<int>{0}));
}

TEST(ValueMesh, OfTheLargestRegionTakesNoSpace) {
  auto mesh = ValueMesh<int>::from_single(*Region::parse("x=18446744073709551615/1"), 7);
  ASSERT_TRUE(mesh.assign(5, 6, 8));
  EXPECT_EQ(mesh.get(5), 8);
  EXPECT_EQ(mesh.get(18446744073709551614U), 7);
}

TEST(ValueMesh, FromDenseWantsExactlyOneValuePerRank) {
  EXPECT_EQ(contents(*ValueMesh<int>::from_dense(Extent{{"x", 3}}, {1, 2, 3})), (std::vector<int>{1, 2, 3}));
  EXPECT_EQ(ValueMesh<int>::from_dense(Extent{{"x", 3}}, {1, 2}).error().text(),
            "a mesh of 3 ranks needs a value for each, got 2");
  EXPECT_FALSE(ValueMesh<int>::from_dense(Extent{{"x", 3}}, {1, 2, 3, 4}));
}

TEST(ValueMesh, FromDenseKeepsLongRunsAsRuns) {
  EXPECT_FALSE(ValueMesh<int>::from_dense(Extent{{"x", 100}}, std::vector<int>(100, 7))->is_dense());
  std::vector<int> different(100);
  for (int i = 0; i < 100; ++i) different[static_cast<std::size_t>(i)] = i;
  EXPECT_TRUE(ValueMesh<int>::from_dense(Extent{{"x", 100}}, different)->is_dense());
}

TEST(ValueMesh, RangesWithADefaultComeInAnyOrder) {
  const auto mesh = ValueMesh<int>::from_ranges_with_default(Extent{{"x", 6}}, 0, {{4, 5, 2}, {1, 3, 1}});
  EXPECT_EQ(contents(*mesh), (std::vector<int>{0, 1, 1, 0, 2, 0}));
}

TEST(ValueMesh, EmptyOverlappingAndOutOfRangeRangesAreErrors) {
  const auto refusal = [](RunList runs) {
    return ValueMesh<int>::from_ranges_with_default(Extent{{"x", 6}}, 0, std::move(runs)).error().text();
  };
  EXPECT_EQ(refusal({{2, 2, 1}}), "empty range 2..2");
  EXPECT_EQ(refusal({{3, 1, 1}}), "empty range 3..1");
  EXPECT_EQ(refusal({{3, 5, 1}, {1, 4, 1}}), "overlapping ranges 1..4 and 3..5");
  EXPECT_EQ(refusal({{4, 7, 1}}), "range 4..7 is out of bounds: the mesh has 6 ranks");
}

TEST(ValueMesh, IndexedValuesMustBeCompleteAndTheLastOfARankCounts) {
  using Indexed = std::vector<std::pair<Rank, int>>;
  const Region region = Extent{{"x", 3}};
  EXPECT_EQ(contents(*ValueMesh<int>::from_indexed(region, Indexed{{2, 7}, {0, 5}, {1, 6}, {2, 8}})),
            (std::vector<int>{5, 6, 8}));
  EXPECT_EQ(ValueMesh<int>::from_indexed(region, Indexed{{0, 1}, {1, 1}, {1, 2}}).error().text(),
            "a mesh of 3 ranks needs a value for each, got 2");
  EXPECT_FALSE(ValueMesh<int>::from_indexed(region, Indexed{{0, 1}, {1, 1}}));
  EXPECT_FALSE(ValueMesh<int>::from_indexed(region, Indexed{{0, 1}, {1, 1}, {3, 2}}));
}

TEST(ValueMesh, EntriesPairPointsWithValues) {
  const auto mesh = *ValueMesh<int>::from_dense(Extent{{"x", 2}, {"y", 2}}, {1, 2, 3, 4});
  std::string text;
  for (const auto& [point, value] : mesh.entries()) text += point.text() + ":" + std::to_string(value) + " ";
  EXPECT_EQ(text, "x=0/2,y=0/2:1 x=0/2,y=1/2:2 x=1/2,y=0/2:3 x=1/2,y=1/2:4 ");
}

TEST(ValueMesh, SlicingKeepsTheValuesOfTheRanksThatRemain) {
  const auto mesh = *ValueMesh<int>::from_dense(Extent{{"x", 2}, {"y", 3}}, {0, 1, 2, 10, 11, 12});
  const auto part = mesh.range("y", Range::from(1));
  EXPECT_EQ(contents(*part), (std::vector<int>{1, 2, 11, 12}));
  EXPECT_EQ(part->region().text(), "1+x=2/3,y=2/1");
  EXPECT_EQ(contents(*part->range("x", 1)), (std::vector<int>{11, 12}));
  EXPECT_EQ(contents(mesh.sliced(*Region::parse("y=3/1,x=2/3"))), (std::vector<int>{0, 10, 1, 11, 2, 12}));
  EXPECT_FALSE(part->subset(mesh.region()));
  EXPECT_FALSE(mesh.range("z", 0));
  EXPECT_EQ(mesh.group_by("y")->size(), 2U);
  EXPECT_EQ(contents(mesh.group_by("y")->at(1)), (std::vector<int>{10, 11, 12}));
}

TEST(ValueMesh, AssignRefusesWhatIsNotThere) {
  auto mesh = ValueMesh<int>::from_single(Extent{{"x", 3}}, 7);
  EXPECT_FALSE(mesh.assign(1, 1, 8));
  EXPECT_FALSE(mesh.assign(2, 4, 8));
  EXPECT_EQ(contents(mesh), (std::vector<int>{7, 7, 7}));
}

TEST(ValueMesh, DenseAndRunLengthCannotBeToldApart) {
  Random random(11);
  for (int round = 0; round < 2000; ++round) {
    // Given the same values, once forced into runs and once dense (all different at first).
    const Region region = testing::random_region(random);
    const Rank count = region.num_ranks();
    auto runs = ValueMesh<int>::from_single(region, 0);
    std::vector<int> different(count);
    for (std::size_t i = 0; i < count; ++i) different[i] = static_cast<int>(i) + 10;
    auto dense = *ValueMesh<int>::from_dense(region, different);
    ASSERT_TRUE(dense.assign(0, count, 0));
    ASSERT_FALSE(runs.is_dense());
    // When both are changed alike.
    for (int step = 0; step < 5; ++step) {
      const Rank begin = pick(random, 0, count - 1);
      const Rank end = pick(random, begin + 1, count);
      const int value = static_cast<int>(pick(random, 0, 2));
      ASSERT_TRUE(runs.assign(begin, end, value));
      ASSERT_TRUE(dense.assign(begin, end, value));
    }
    // Then they answer alike.
    ASSERT_EQ(runs, dense);
    ASSERT_EQ(contents(runs), contents(dense));
    ASSERT_EQ(runs.runs(), dense.runs());
    const auto is_two = [](int value) { return value == 2; };
    ASSERT_EQ(runs.first_where(is_two), dense.first_where(is_two));
    const Region part = testing::random_part(random, region);
    ASSERT_EQ(contents(runs.sliced(part)), contents(dense.sliced(part)));
    ASSERT_EQ(*ValueMesh<int>::from_ranges_with_default(region, -1, dense.runs().to_vector()), runs);
  }
}

TEST(ValueMesh, DiffersWhenRegionOrValuesDiffer) {
  const auto mesh = ValueMesh<int>::from_single(Extent{{"x", 3}}, 7);
  EXPECT_NE(mesh, ValueMesh<int>::from_single(Extent{{"y", 3}}, 7));
  EXPECT_NE(mesh, ValueMesh<int>::from_single(Extent{{"x", 3}}, 8));
}

TEST(ValueMesh, AllOfAndFirstWhereLookAtEveryRank) {
  const auto mesh = *ValueMesh<int>::from_dense(Extent{{"x", 4}}, {1, 1, 2, 2});
  EXPECT_TRUE(mesh.all_of([](int value) { return value > 0; }));
  EXPECT_FALSE(mesh.all_of([](int value) { return value == 1; }));
  EXPECT_EQ(mesh.first_where([](int value) { return value == 2; }), 2U);
  EXPECT_EQ(mesh.first_where([](int value) { return value == 3; }), std::nullopt);
}

TEST(ValueMesh, HoldsValuesThatCannotBeCompared) {
  auto mesh = ValueMesh<Opaque>::from_single(Extent{{"x", 3}}, Opaque{4});
  ASSERT_TRUE(mesh.assign(1, 2, Opaque{5}));
  EXPECT_TRUE(mesh.is_dense());
  EXPECT_EQ(mesh.get(1).number, 5);
  EXPECT_EQ(mesh.range("x", Range::from(1))->get(1).number, 4);
  EXPECT_EQ(map_values(mesh, [](const Opaque& value) { return value.number; }).get(0), 4);
}

TEST(ValueMesh, HoldsBooleans) {
  const auto mesh = *ValueMesh<bool>::from_dense(Extent{{"x", 3}}, {true, false, true});
  EXPECT_TRUE(mesh.get(0));
  EXPECT_FALSE(mesh.get(1));
}

TEST(ValueMesh, TransposeGivesAllValuesOrTheFirstErrorWithItsRank) {
  const Region region = Extent{{"x", 3}};
  using Mesh = ValueMesh<Result<int>>;
  const auto good = Mesh::from_dense(region, {Result<int>(1), Result<int>(2), Result<int>(2)});
  EXPECT_EQ(contents(*transpose(*good)), (std::vector<int>{1, 2, 2}));
  const auto bad = Mesh::from_dense(region, {Result<int>(1), Result<int>(Error(Cause::kRemote, "no")),
                                             Result<int>(Error(Cause::kRemote, "never"))});
  EXPECT_EQ(transpose(*bad).error().text(), "rank 1: no");
  const auto opaque = ValueMesh<Result<Opaque>>::from_single(region, Result<Opaque>(Opaque{3}));
  EXPECT_EQ(transpose(opaque)->get(2).number, 3);
}

}  // namespace
}  // namespace hostmesh
