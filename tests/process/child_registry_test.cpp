#include "hostmesh/process/child_registry.hpp"

#include <gtest/gtest.h>

namespace hostmesh {
namespace {

using Standing = ChildRegistry::Standing;

TEST(ChildRegistry, AnUnknownPidIsAnOrphan) {
  ChildRegistry registry;
  int acted = 0;
  EXPECT_EQ(registry.if_unowned(42, [&] { ++acted; }), Standing::kUnowned);
  EXPECT_EQ(acted, 1);
}

TEST(ChildRegistry, WhileALaunchIsUnderWayNothingIsDecided) {
  ChildRegistry registry;
  int settled = 0;
  registry.begin_launch();
  registry.begin_launch();
  registry.when_settled([&] { ++settled; });
  registry.end_launch(0);
  EXPECT_EQ(registry.if_unowned(42, [] { FAIL(); }), Standing::kUndecided);
  EXPECT_EQ(settled, 0);
  registry.end_launch(42);
  EXPECT_EQ(settled, 1);
  EXPECT_EQ(registry.if_unowned(42, [] { FAIL(); }), Standing::kOwned);
}

TEST(ChildRegistry, ReleaseReapsAndForgets) {
  ChildRegistry registry;
  registry.begin_launch();
  registry.end_launch(42);
  EXPECT_TRUE(registry.owns(42));
  bool reaped = false;
  registry.release(42, [&] { reaped = true; });
  EXPECT_TRUE(reaped);
  EXPECT_FALSE(registry.owns(42));
}

TEST(ChildRegistry, AForeignChildIsOwnedUntilItIsRemovedAndDoesNotTakeAnOwnedOneWithIt) {
  ChildRegistry registry;
  registry.add_foreign(42);
  EXPECT_EQ(registry.if_unowned(42, [] { FAIL(); }), Standing::kOwned);
  registry.begin_launch();
  registry.end_launch(42);

  registry.remove_foreign(42);

  EXPECT_TRUE(registry.owns(42));
  registry.release(42, [] {});
  EXPECT_FALSE(registry.owns(42));
}

TEST(ChildRegistry, WhenSettledCallsAtOnceWhenNothingIsUnderWay) {
  ChildRegistry registry;
  bool called = false;
  registry.when_settled([&] { called = true; });
  EXPECT_TRUE(called);
}

}  // namespace
}  // namespace hostmesh
