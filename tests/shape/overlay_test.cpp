#include "hostmesh/shape/overlay.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <numeric>

#include "hostmesh/shape/status.hpp"
#include "random_region.hpp"

namespace hostmesh {
namespace {

using testing::pick;
using testing::Random;
using Overlay = ValueOverlay<int>;
// Named out here, because testing::Test::Run hides Run inside a test.
using RunList = std::vector<Run<int>>;

TEST(ValueOverlay, PushedRunsAreSortedAndCoalesced) {
  Overlay overlay;
  ASSERT_TRUE(overlay.push_run(4, 6, 1));
  ASSERT_TRUE(overlay.push_run(0, 2, 2));
  ASSERT_TRUE(overlay.push_run(6, 7, 1));
  EXPECT_EQ(overlay.runs().to_vector(), (RunList{{0, 2, 2}, {4, 7, 1}}));
}

TEST(ValueOverlay, AnEmptyRunIsRefused) {
  Overlay overlay;
  EXPECT_EQ(overlay.push_run(2, 2, 1).error().text(), "empty range 2..2");
  EXPECT_EQ(overlay.push_run(2, 1, 1).error().cause(), Cause::kInvalidArgument);
  EXPECT_TRUE(overlay.empty());
}

TEST(ValueOverlay, OverlappingRunsAreRefusedEvenWhenEqualAndNamed) {
  Overlay overlay;
  ASSERT_TRUE(overlay.push_run(2, 5, 1));
  EXPECT_EQ(overlay.push_run(4, 6, 1).error().text(), "overlapping ranges 2..5 and 4..6");
  EXPECT_EQ(overlay.push_run(0, 3, 2).error().text(), "overlapping ranges 0..3 and 2..5");
  EXPECT_FALSE(overlay.push_run(3, 4, 2));
  EXPECT_FALSE(overlay.push_run(0, 9, 2));
  EXPECT_FALSE(overlay.push_run(2, 3, 2));
  EXPECT_EQ(overlay.runs().to_vector(), (RunList{{2, 5, 1}}));
  EXPECT_TRUE(overlay.push_run(5, 6, 1));
  EXPECT_TRUE(overlay.push_run(1, 2, 1));
}

TEST(ValueOverlay, TravelsAsAListOfRuns) {
  const auto overlay = Overlay::from_runs({{4, 6, 1}, {0, 2, 2}});
  ASSERT_TRUE(overlay);
  EXPECT_EQ(*Overlay::from_runs(overlay->runs().to_vector()), *overlay);
  EXPECT_FALSE(Overlay::from_runs({{4, 6, 1}, {5, 7, 1}}));
  EXPECT_FALSE(Overlay::from_runs({{4, 4, 1}}));
}

TEST(ValueOverlay, WhatIsMergedLaterWins) {
  Overlay overlay = *Overlay::from_runs({{0, 4, 5}, {4, 8, 1}});
  overlay.merge(*Overlay::from_runs({{2, 6, 5}}));
  EXPECT_EQ(overlay.runs().to_vector(), (RunList{{0, 6, 5}, {6, 8, 1}}));
}

TEST(ValueOverlay, IsAppliedToAMesh) {
  auto mesh = ValueMesh<int>::from_single(Extent{{"x", 4}}, 0);
  ASSERT_TRUE(Overlay::from_runs({{1, 3, 7}})->apply_to(mesh));
  EXPECT_EQ(mesh, *ValueMesh<int>::from_dense(Extent{{"x", 4}}, {0, 7, 7, 0}));
}

TEST(ValueOverlay, BeyondTheMeshIsRefusedAndNothingIsApplied) {
  auto mesh = ValueMesh<int>::from_single(Extent{{"x", 4}}, 0);
  const auto before = mesh;
  const auto refused = Overlay::from_runs({{0, 2, 7}, {3, 5, 7}})->apply_to(mesh);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().text(), "range 3..5 is out of bounds: the mesh has 4 ranks");
  EXPECT_EQ(refused.error().cause(), Cause::kInvalidArgument);
  EXPECT_EQ(mesh, before);
}

TEST(ValueOverlay, ApplyingAgreesWithADenseOracle) {
  Random random(12);
  constexpr Rank kRanks = 30;
  for (int round = 0; round < 3000; ++round) {
    const Region region = Extent{{"x", 5}, {"y", 6}};
    auto mesh = ValueMesh<int>::from_single(region, -1);
    std::vector<int> oracle(kRanks, -1);
    Overlay together;
    for (int step = 0; step < 4; ++step) {
      const Rank begin = pick(random, 0, kRanks - 1);
      const Rank end = pick(random, begin + 1, kRanks);
      const int value = static_cast<int>(pick(random, 0, 2));
      together.merge(*Overlay::from_runs({{begin, end, value}}));
      std::fill(oracle.begin() + static_cast<std::ptrdiff_t>(begin),
                oracle.begin() + static_cast<std::ptrdiff_t>(end), value);
    }
    ASSERT_TRUE(together.apply_to(mesh));
    ASSERT_EQ(mesh, *ValueMesh<int>::from_dense(region, oracle));
  }
}

// How long it takes to merge one report from each rank, in random order, into one overlay.
std::chrono::duration<double> time_to_merge(Rank ranks) {
  Random random(13);
  std::vector<Rank> order(ranks);
  std::iota(order.begin(), order.end(), Rank{0});
  std::ranges::shuffle(order, random);
  std::vector<StatusOverlay> reports;
  reports.reserve(ranks);
  for (const Rank rank : order) {
    reports.push_back(*StatusOverlay::from_runs(
        {{rank, rank + 1, rank % 3 == 0 ? Status::failed("why") : Status::running()}}));
  }
  const auto begin = std::chrono::steady_clock::now();
  StatusOverlay together;
  for (const StatusOverlay& report : reports) together.merge(report);
  const auto taken = std::chrono::steady_clock::now() - begin;
  EXPECT_EQ(together.runs().covered(), ranks);
  return taken;
}

TEST(ValueOverlay, ThirtyTwoThousandReportsMergeInNoTime) {
  // Milliseconds; a merge that walks or copies all runs each time would take many seconds.
  EXPECT_LT(time_to_merge(32'000).count(), 2.0);
}

}  // namespace
}  // namespace hostmesh
