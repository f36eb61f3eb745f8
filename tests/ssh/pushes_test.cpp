#include "pushes.hpp"

#include <gtest/gtest.h>

namespace hostmesh_ssh {
namespace {

using Next = Pushes::Next;
using Ids = std::vector<Pushes::Id>;

TEST(SshPushes, OneLaunchOfAHostCopiesAndTheOthersWaitForIt) {
  Pushes pushes;

  EXPECT_EQ(pushes.absent(1, "a", 0), Next::kCopy);
  EXPECT_EQ(pushes.absent(2, "a", 0), Next::kWait);
  EXPECT_EQ(pushes.absent(3, "a", 0), Next::kWait);
  EXPECT_EQ(pushes.absent(4, "b", 0), Next::kCopy);

  EXPECT_EQ(pushes.succeeded("a"), (Ids{2, 3}));
  EXPECT_EQ(pushes.made("a"), 1U);
  EXPECT_EQ(pushes.made("b"), 0U);
}

TEST(SshPushes, WhoStartedBeforeTheCopyWasMadeStartsOnceMore) {
  Pushes pushes;
  pushes.absent(1, "a", 0);
  pushes.succeeded("a");

  EXPECT_EQ(pushes.absent(2, "a", 0), Next::kStart);
  EXPECT_EQ(pushes.absent(3, "a", 1), Next::kCopy) << "it is gone again";
}

TEST(SshPushes, AfterAFailureTheNextOneMayTry) {
  Pushes pushes;
  pushes.absent(1, "a", 0);
  pushes.absent(2, "a", 0);

  EXPECT_EQ(pushes.failed("a"), (Ids{2}));
  EXPECT_EQ(pushes.absent(3, "a", 0), Next::kCopy);
}

TEST(SshPushes, OneThatIsStoppedHandsTheCopyOn) {
  Pushes pushes;
  pushes.absent(1, "a", 0);
  pushes.absent(2, "a", 0);
  pushes.absent(3, "a", 0);

  EXPECT_TRUE(pushes.withdraw(2));
  EXPECT_FALSE(pushes.withdraw(2));
  EXPECT_EQ(pushes.abandoned("a"), 3U);
  EXPECT_EQ(pushes.absent(4, "a", 0), Next::kWait);
  EXPECT_EQ(pushes.abandoned("a"), 4U);
  EXPECT_EQ(pushes.abandoned("a"), std::nullopt);
  EXPECT_EQ(pushes.absent(5, "a", 0), Next::kCopy);
}

}  // namespace
}  // namespace hostmesh_ssh
