#include "hostmesh/shape/runs.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <optional>

#include "random_region.hpp"

namespace hostmesh {
namespace {

using testing::pick;
using testing::Random;

constexpr Rank kRanks = 24;
using Dense = std::vector<std::optional<int>>;
// Named out here, because testing::Test::Run hides Run inside a test.
using RunList = std::vector<Run<int>>;

Runs<int> runs_of(const RunList& list) {
  Runs<int> runs;
  for (const auto& [begin, end, value] : list) runs.assign(begin, end, value);
  return runs;
}

Runs<int> merged(Runs<int> left, const Runs<int>& right) {
  left.merge(right);
  return left;
}

// Fails unless `runs` is sorted, disjoint, coalesced, and says what `dense` says.
void expect_is(const Runs<int>& runs, const Dense& dense) {
  std::uint64_t covered = 0;
  std::optional<Run<int>> previous;
  for (const auto& piece : runs.pieces()) {
    ASSERT_LT(piece.begin, piece.end);
    if (previous) {
      ASSERT_LE(previous->end, piece.begin);
      ASSERT_FALSE(previous->end == piece.begin && previous->value == piece.value) << "not coalesced";
    }
    covered += piece.end - piece.begin;
    previous = Run<int>{piece.begin, piece.end, piece.value};
  }
  ASSERT_EQ(runs.covered(), covered);
  ASSERT_EQ(runs.end_rank(), previous ? previous->end : 0);
  for (Rank rank = 0; rank < dense.size(); ++rank) {
    const int* value = runs.find(rank);
    ASSERT_EQ(value == nullptr ? std::nullopt : std::optional(*value), dense[rank]) << rank;
  }
}

TEST(Runs, AssignKeepsThemSortedAndCoalesced) {
  EXPECT_EQ(runs_of({{4, 6, 1}, {0, 2, 1}, {2, 4, 1}}).to_vector(), (RunList{{0, 6, 1}}));
  EXPECT_EQ(runs_of({{0, 9, 1}, {3, 5, 2}}).to_vector(), (RunList{{0, 3, 1}, {3, 5, 2}, {5, 9, 1}}));
  EXPECT_EQ(runs_of({{0, 9, 1}, {3, 5, 1}}).to_vector(), (RunList{{0, 9, 1}}));
  EXPECT_TRUE(runs_of({{3, 3, 1}, {5, 4, 1}}).empty());
}

TEST(Runs, RegressionARunAcrossTheBorderOfTwoTrimsBoth) {
  // [(0..9,1),(9..16,2)] + [(6..12,2)]: the second left run must not come back overlapping.
  const auto result = merged(runs_of({{0, 9, 1}, {9, 16, 2}}), runs_of({{6, 12, 2}}));
  EXPECT_EQ(result.to_vector(), (RunList{{0, 6, 1}, {6, 16, 2}}));
}

TEST(Runs, RegressionAnEqualValueOverlapStillTrimsTheNextRun) {
  // [(0..4,5),(4..8,1)] + [(2..6,5)]: the equal left run grows, and the one after it must shrink.
  const auto result = merged(runs_of({{0, 4, 5}, {4, 8, 1}}), runs_of({{2, 6, 5}}));
  EXPECT_EQ(result.to_vector(), (RunList{{0, 6, 5}, {6, 8, 1}}));
}

TEST(Runs, MergingWithItselfChangesNothing) {
  Runs<int> runs = runs_of({{0, 4, 5}, {4, 8, 1}});
  runs.merge(runs);
  EXPECT_EQ(runs, runs_of({{0, 4, 5}, {4, 8, 1}}));
}

TEST(Runs, AssignAndClearAgreeWithADenseArray) {
  Random random(7);
  for (int round = 0; round < 3000; ++round) {
    Runs<int> runs;
    Dense dense(kRanks);
    for (int step = 0; step < 12; ++step) {
      const Rank begin = pick(random, 0, kRanks);
      const Rank end = pick(random, 0, kRanks);
      const int value = static_cast<int>(pick(random, 0, 2));
      const bool forget = pick(random, 0, 4) == 0;
      forget ? runs.clear(begin, end) : runs.assign(begin, end, value);
      for (Rank rank = begin; rank < end; ++rank) dense[rank] = forget ? std::nullopt : std::optional(value);
      ASSERT_NO_FATAL_FAILURE(expect_is(runs, dense)) << "round " << round;
    }
  }
}

Runs<int> random_runs(Random& random, Dense& dense) {
  dense.assign(kRanks, std::nullopt);
  Runs<int> runs;
  for (std::uint64_t i = pick(random, 0, 6); i > 0; --i) {
    const Rank begin = pick(random, 0, kRanks - 1);
    const Rank end = pick(random, begin + 1, kRanks);
    const int value = static_cast<int>(pick(random, 0, 2));
    runs.assign(begin, end, value);
    for (Rank rank = begin; rank < end; ++rank) dense[rank] = value;
  }
  return runs;
}

TEST(Runs, MergeAgreesWithADenseOracleAndTheRightWins) {
  Random random(8);
  Dense left_dense;
  Dense right_dense;
  for (int round = 0; round < 20'000; ++round) {
    const Runs<int> left = random_runs(random, left_dense);
    const Runs<int> right = random_runs(random, right_dense);
    Dense expected = left_dense;
    for (Rank rank = 0; rank < kRanks; ++rank) {
      if (right_dense[rank]) expected[rank] = right_dense[rank];
    }
    ASSERT_NO_FATAL_FAILURE(expect_is(merged(left, right), expected)) << "round " << round;
  }
}

TEST(Runs, MergeIsAssociative) {
  Random random(9);
  Dense unused;
  for (int round = 0; round < 5000; ++round) {
    const Runs<int> a = random_runs(random, unused);
    const Runs<int> b = random_runs(random, unused);
    const Runs<int> c = random_runs(random, unused);
    ASSERT_EQ(merged(merged(a, b), c), merged(a, merged(b, c))) << "round " << round;
  }
}

TEST(Runs, MergesOfDisjointRunsCommute) {
  Random random(10);
  for (int round = 0; round < 5000; ++round) {
    std::vector<Runs<int>> parts(3);
    for (Rank rank = 0; rank < kRanks; ++rank) {
      const int value = static_cast<int>(pick(random, 0, 1));
      if (const std::uint64_t owner = pick(random, 0, 3); owner < 3)
        parts[owner].assign(rank, rank + 1, value);
    }
    const Runs<int> expected = merged(merged(parts[0], parts[1]), parts[2]);
    ASSERT_EQ(merged(merged(parts[2], parts[0]), parts[1]), expected);
    ASSERT_EQ(merged(parts[1], merged(parts[2], parts[0])), expected);
  }
}

TEST(Runs, FirstEndingAfterFindsTheRunAtOrBeyondARank) {
  const Runs<int> runs = runs_of({{2, 4, 1}, {6, 8, 1}});
  EXPECT_EQ(runs.first_ending_after(0), (std::pair<Rank, Rank>{2, 4}));
  EXPECT_EQ(runs.first_ending_after(3), (std::pair<Rank, Rank>{2, 4}));
  EXPECT_EQ(runs.first_ending_after(4), (std::pair<Rank, Rank>{6, 8}));
  EXPECT_EQ(runs.first_ending_after(8), (std::pair<Rank, Rank>{0, 0}));
}

}  // namespace
}  // namespace hostmesh
