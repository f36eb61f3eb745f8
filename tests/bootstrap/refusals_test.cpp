#include "hostmesh/bootstrap/refusals.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hostmesh::bootstrap {
namespace {

using std::chrono::milliseconds;

TEST(Refusals, HaveALineASecondWhichCountsTheOthers) {
  struct Step {
    milliseconds at;
    std::optional<std::uint64_t> told;
    std::uint64_t left_out;
  };
  const std::vector<Step> steps = {
      {milliseconds(0), 0, 0},    {milliseconds(1), std::nullopt, 1}, {milliseconds(999), std::nullopt, 2},
      {milliseconds(1000), 2, 0}, {milliseconds(5000), 0, 0},         {milliseconds(5001), std::nullopt, 1},
  };
  Refusals refusals;
  for (const Step& step : steps) {
    EXPECT_EQ(refusals.tell(Refusals::Time(step.at)), step.told) << step.at.count() << " ms";
    EXPECT_EQ(refusals.left_out(), step.left_out) << step.at.count() << " ms";
  }
}

}  // namespace
}  // namespace hostmesh::bootstrap
