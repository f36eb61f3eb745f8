#include "hostmesh/plugin/nearest_name.hpp"

namespace hostmesh {
namespace {

TEST(EditDistance, CountsSingleChanges) {
  EXPECT_EQ(edit_distance("", ""), 0U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("ssh", "ssh"), 0U);
  EXPECT_EQ(edit_distance("proces", "process"), 1U);
  EXPECT_EQ(edit_distance("prxcess", "process"), 1U);
  EXPECT_EQ(edit_distance("porcess", "process"), 1U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(NearestName, IsTheOneWithTheFewestChanges) {
  EXPECT_EQ(nearest_name("proces", {"ssh", "process", "processes"}), "process");
  EXPECT_EQ(nearest_name("SSH", {"ssh", "process"}), "ssh");
  EXPECT_EQ(nearest_name("shs", {"process", "ssh"}), "ssh");
}

TEST(NearestName, IsNoneWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("kubernetes", {"ssh", "process"}), std::nullopt);
  EXPECT_EQ(nearest_name("x", {"a"}), std::nullopt);
  EXPECT_EQ(nearest_name("", {"ssh"}), std::nullopt);
  EXPECT_EQ(nearest_name("ssh", {}), std::nullopt);
  EXPECT_EQ(nearest_name(std::string(100000, 'x'), {"x"}), std::nullopt);
}

TEST(NearestName, IsAskedAsAQuestion) {
  EXPECT_EQ(did_you_mean("plugn", {"plugin", "options"}), "; did you mean 'plugin'?");
  EXPECT_EQ(did_you_mean("zebra", {"plugin", "options"}), "");
}

}  // namespace
}  // namespace hostmesh
