// What the suite makes of an allocation's states, and how a scenario's words travel.
#include "hostmesh/conformance/fleet.hpp"

#include <gtest/gtest.h>

#include "payload/pattern.hpp"

namespace hostmesh::conformance {
namespace {

const Case kCase{.id = "a.case", .sentence = "It is good.", .rule = "a rule"};

class ConformanceStates : public ::testing::Test {
 protected:
  static ProcState created(std::uint64_t key) { return ProcCreated{.create_key = ShortUuid(key)}; }
  static ProcState running(std::uint64_t key) { return ProcRunning{.create_key = ShortUuid(key)}; }
  static ProcState stopped(std::uint64_t key) { return ProcStopped{.create_key = ShortUuid(key)}; }

  bool in_order(const std::vector<ProcState>& states) {
    return accepted([&] { expect_in_order(stage_, states); });
  }
  bool complete(const std::vector<ProcState>& states) {
    return accepted([&] { expect_complete(stage_, states); });
  }

 private:
  template <class Check>
  static bool accepted(Check check) {
    try {
      check();
      return true;
    } catch (const Failure&) {
      return false;
    }
  }

  Stage stage_{kCase, {}, 1, [](Duration, const std::string&) {}};
};

TEST_F(ConformanceStates, AreInOrderWhereEachProcIsCreatedThenRunsOrNotThenStops) {
  EXPECT_TRUE(in_order({created(1), created(2), running(2), stopped(1), stopped(2)}));
  EXPECT_TRUE(in_order({}));
}

TEST_F(ConformanceStates, AreNotInOrderWhereOneComesTwiceOrTooEarlyOrAfterTheEnd) {
  EXPECT_FALSE(in_order({created(1), created(1)}));
  EXPECT_FALSE(in_order({running(1)}));
  EXPECT_FALSE(in_order({stopped(1)}));
  EXPECT_FALSE(in_order({created(1), running(1), running(1)}));
  EXPECT_FALSE(in_order({created(1), stopped(1), stopped(1)}));
  EXPECT_FALSE(in_order({created(1), stopped(1), running(1)}));
}

TEST_F(ConformanceStates, AreCompleteWhereEachThatWasCreatedWasStopped) {
  EXPECT_TRUE(complete({created(1), created(2), stopped(2), running(1), stopped(1)}));
  EXPECT_FALSE(complete({created(1), created(2), running(2), stopped(1)}));
}

TEST(ConformanceScenarios, ArriveWordForWord) {
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"exit", "7"}, {"print", "", "a|b", "%41\n\xFF"}, {"last is empty", ""}}) {
    EXPECT_EQ(payload::words_of(payload::text_of(words)), words);
  }
  EXPECT_TRUE(payload::words_of("").empty());
}

}  // namespace
}  // namespace hostmesh::conformance
