// How the answers of many become one result, and the failures among them one error.
#include "hostmesh/mesh/gather.hpp"

#include <gtest/gtest.h>

#include <thread>

namespace hostmesh {
namespace {

std::vector<Rank> every_other(std::size_t count) {
  std::vector<Rank> ranks;
  for (Rank i = 0; i < count; ++i) ranks.push_back(2 * i);
  return ranks;
}

TEST(RanksText, JoinsNeighbours) {
  EXPECT_EQ(ranks_text({}), "");
  EXPECT_EQ(ranks_text({4}), "4");
  EXPECT_EQ(ranks_text({0, 1}), "0-1");
  EXPECT_EQ(ranks_text({0, 3, 4, 5, 9}), "0, 3-5, 9");
}

TEST(RanksText, EndsAfterADozenPiecesWithTheNumberOfTheOthers) {
  EXPECT_EQ(ranks_text(every_other(12)), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22");
  EXPECT_EQ(ranks_text(every_other(15)), "0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22 and 3 more");
}

TEST(ErrorOfRanks, OfOneIsThatOneWithItsPlace) {
  const Error error = error_of_ranks("call", {{3, Error(Cause::kPeerGone, "it is gone")}}, 8);

  EXPECT_EQ(error.cause(), Cause::kPeerGone);
  EXPECT_EQ(error.text(), "rank 3, phase call: it is gone");
}

TEST(ErrorOfRanks, OfSeveralTellsTheFirstInFullAndWhoTheOthersAre) {
  const Error error = error_of_ranks(
      "call", {{1, Error(Cause::kTimeout, "late")}, {2, Error(Cause::kPeerGone, "gone")}, {7, Error()}}, 8);

  EXPECT_EQ(error.cause(), Cause::kTimeout);
  EXPECT_EQ(error.text(), "rank 1, phase call: late (the first of 3 failures among 8 ranks: 1-2, 7)");
}

TEST(ErrorOfRanks, KeepsAPhaseThatIsKnownBetter) {
  EXPECT_EQ(error_of_ranks("call", {{0, Error(Cause::kIo, "x").with_phase("launch")}}, 1).info().phase,
            "launch");
}

TEST(Gather, ReturnsTheAnswersInOrderWhateverTheOrderOfTheirArrival) {
  Gather<int> gather(3, Deadline::never());
  std::thread late([slots = std::vector{gather.slot(2), gather.slot(0), gather.slot(1)}] {
    slots[0](30);
    slots[1](10);
    slots[2](20);
  });

  const auto answers = gather.wait("call");
  late.join();

  ASSERT_TRUE(answers);
  EXPECT_EQ(*answers, (std::vector{10, 20, 30}));
}

TEST(Gather, OfNobodyDoesNotWait) {
  EXPECT_TRUE(Gather<int>(0, Deadline::never()).wait("call"));
}

TEST(Gather, OneFailureIsTheResultOnceAllHaveAnswered) {
  Gather<int> gather(2, Deadline::never());
  gather.slot(1)(Error(Cause::kActorGone, "it failed"));
  gather.slot(0)(1);

  const auto answers = gather.wait("call");

  ASSERT_FALSE(answers);
  EXPECT_EQ(answers.error().info().rank, 1u);
  EXPECT_EQ(answers.error().cause(), Cause::kActorGone);
}

TEST(Gather, MayBeGivenUpBeforeTheAnswersCome) {
  std::function<void(Result<int>)> slot;
  {
    Gather<int> gather(1, Deadline::never());
    slot = gather.slot(0);
  }
  slot(1);
}

}  // namespace
}  // namespace hostmesh
