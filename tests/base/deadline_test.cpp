#include "hostmesh/base/deadline.hpp"

#include <gtest/gtest.h>

namespace hostmesh {
namespace {

using namespace std::chrono_literals;

TEST(Duration, TextsParse) {
  EXPECT_EQ(*parse_duration("60s"), 60s);
  EXPECT_EQ(*parse_duration("500ms"), 500ms);
  EXPECT_EQ(*parse_duration("1m"), 1min);
  EXPECT_EQ(*parse_duration("2h"), 2h);
  EXPECT_EQ(*parse_duration("1m30s"), 90s);
  EXPECT_EQ(*parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(*parse_duration("7us"), 7us);
  EXPECT_EQ(*parse_duration("7ns"), 7ns);
  EXPECT_EQ(*parse_duration("0"), 0s);
}

TEST(Duration, TextsWithoutUnitOrSenseAreRefused) {
  for (const char* text :
       {"", "10", "s", "1x", "-1s", "1 s", "1s ", "1.2.3s", "inf", "nans", "1e3s", "9999999999h", "1sm"}) {
    const auto duration = parse_duration(text);
    ASSERT_FALSE(duration) << text;
    EXPECT_EQ(duration.error().cause(), Cause::kInvalidArgument) << text;
  }
}

TEST(Duration, TextIsShortAndParsesBack) {
  EXPECT_EQ(to_string(500ms), "500ms");
  EXPECT_EQ(to_string(90s), "1m30s");
  EXPECT_EQ(to_string(10s), "10s");
  EXPECT_EQ(to_string(Duration(0)), "0s");
  EXPECT_EQ(to_string(Duration(-5ms)), "-5ms");
  for (const Duration duration :
       {Duration(1), Duration(90s), Duration(1h + 1ms + 1ns), Duration(123456789)}) {
    EXPECT_EQ(*parse_duration(to_string(duration)), duration);
  }
}

TEST(Deadline, NeverPassesByDefault) {
  const Deadline never;
  EXPECT_TRUE(never.is_never());
  EXPECT_FALSE(never.passed());
  EXPECT_EQ(never.remaining(), Duration::max());
}

TEST(Deadline, PassesWhenItsTimeComes) {
  const TimePoint now{100s};
  const Deadline deadline = Deadline::after(5s, now);
  EXPECT_FALSE(deadline.passed(now + 4s));
  EXPECT_EQ(deadline.remaining(now + 4s), 1s);
  EXPECT_TRUE(deadline.passed(now + 5s));
  EXPECT_EQ(deadline.remaining(now + 9s), 0s);
}

TEST(Deadline, ExtremeDurationsAreClamped) {
  const TimePoint now{100s};
  EXPECT_TRUE(Deadline::after(Duration::max(), now).is_never());
  EXPECT_EQ(Deadline::after(Duration::min(), now).when(), now);
}

TEST(Deadline, TheEarlierOfTwoCounts) {
  const TimePoint now{100s};
  const Deadline early = Deadline::after(1s, now);
  const Deadline late = Deadline::after(2s, now);
  EXPECT_EQ(early.and_no_later_than(late), early);
  EXPECT_EQ(late.and_no_later_than(early), early);
  EXPECT_EQ(Deadline::never().and_no_later_than(late), late);
}

}  // namespace
}  // namespace hostmesh
