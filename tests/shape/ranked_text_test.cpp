#include "hostmesh/shape/ranked_text.hpp"

#include <gtest/gtest.h>

#include "hostmesh/shape/status.hpp"

namespace hostmesh {
namespace {

using namespace std::chrono_literals;

TEST(RankedText, ListsEachValueWithItsRanks) {
  const auto mesh =
      StatusMesh::from_ranges_with_default(Extent{{"x", 4}}, Status::running(), {{1, 3, Status::stopped()}});
  EXPECT_EQ(ranked_text(*mesh), "Running=0..1,3..4;Stopped=1..3");
}

TEST(RankedText, ValuesComeInTheOrderOfTheirFirstRank) {
  const auto overlay = StatusOverlay::from_runs({{7, 9, Status::running()},
                                                 {2, 3, Status::timeout(30'000'905'376ns)},
                                                 {4, 5, Status::failed("gone")},
                                                 {9, 10, Status::failed("gone")}});
  EXPECT_EQ(ranked_text(*overlay), "Timeout(30.000905376s)=2..3;Failed(gone)=4..5,9..10;Running=7..9");
}

TEST(RankedText, OfNothingIsEmpty) {
  EXPECT_EQ(ranked_text(StatusOverlay()), "");
}

TEST(RankedText, TakesAnyValueWithAWayToWriteIt) {
  Runs<int> runs;
  runs.assign(0, 2, 5);
  EXPECT_EQ(ranked_text(runs, [](int value) { return std::to_string(value); }), "5=0..2");
}

}  // namespace
}  // namespace hostmesh
