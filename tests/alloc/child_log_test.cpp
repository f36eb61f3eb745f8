#include "hostmesh/alloc/child_log.hpp"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace hostmesh::test {
namespace {

using namespace std::chrono_literals;
using HasRun = ChildLog::HasRun;

std::string logged(const std::string& text, const std::string& level = "warning") {
  return "2026-11-20T19:06:24.035369 hostmesh[13617] " + level + " " + text + "\n";
}

class ChildLogTest : public ::testing::Test {
 protected:
  void feed(ChildId child, const std::string& text, HasRun has_run = HasRun::kYes, Duration after = 0s) {
    log_.feed(child, has_run, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()},
              TimePoint(1h) + after);
  }
  void flood(ChildId child, int lines, Duration after = 0s) {
    for (int i = 0; i < lines; ++i) feed(child, logged("again"), HasRun::kYes, after);
  }
  std::vector<std::string> take() { return std::exchange(passed_, {}); }

  ChildLog log_{[this](ChildId child, log::Level level, const std::string& text) {
    passed_.push_back(std::to_string(child) + (level == log::Level::kError ? " error " : " ") + text);
  }};

 private:
  std::vector<std::string> passed_;
};

TEST_F(ChildLogTest, PassesOnWarningsAndErrorsAsTheyCome) {
  feed(3, logged("what happened key=value") + logged("worse", "error"));

  EXPECT_EQ(take(), (std::vector<std::string>{"3 what happened key=value", "3 error worse"}));
}

TEST_F(ChildLogTest, AndNothingElse) {
  feed(0, logged("fine", "info") + logged("finer", "debug"));
  feed(0, "Warning: Permanently added 'node1' to the list of known hosts.\n");
  feed(0, "hostmesh-bootstrap: it says warning\n2026-11-20T19:06:24.035369 hostmesh[] warning no pid\n");
  feed(0, "2026-11-20T19:06:24.035369 hostmesh[1] warning");  // has no end yet

  EXPECT_EQ(take(), std::vector<std::string>{});
}

TEST_F(ChildLogTest, ALineMayComeInPieces) {
  const std::string line = logged("what happened");
  for (const char letter : line) feed(0, std::string(1, letter));

  EXPECT_EQ(take(), std::vector<std::string>{"0 what happened"});
}

TEST_F(ChildLogTest, IsFitForATerminalAndBounded) {
  feed(0, logged("a\033[2Jb\xff") + logged(std::string(100'000, 'x')) + logged("next"));

  const auto passed = take();
  ASSERT_EQ(passed.size(), 3U);
  EXPECT_EQ(passed[0], "0 a\\x1b[2Jb\\xff");
  EXPECT_LE(passed[1].size(), ChildLog::kMaxLine);
  EXPECT_TRUE(passed[1].ends_with("x...")) << passed[1];
  EXPECT_EQ(passed[2], "0 next");
}

TEST_F(ChildLogTest, WhatComesBeforeItRunsIsPassedOnWhenItDoes) {
  feed(0, logged("early"), HasRun::kNo);
  EXPECT_EQ(take(), std::vector<std::string>{});

  log_.running(0, TimePoint(1h));
  EXPECT_EQ(take(), std::vector<std::string>{"0 early"});
}

TEST_F(ChildLogTest, AndNotAtAllWhenItNeverDoes) {
  for (int i = 0; i < 100; ++i) feed(0, logged("early"), HasRun::kNo);
  log_.ended(0);
  log_.ended(1);

  EXPECT_EQ(take(), std::vector<std::string>{}) << "its last lines are in the report of the failure";
}

TEST_F(ChildLogTest, AFloodIsCutShortAndCounted) {
  flood(0, 1000);
  EXPECT_EQ(take().size(), 20U);
  flood(1, 1);
  EXPECT_EQ(take().size(), 1U) << "the others are heard";

  flood(0, 1, 2s);
  EXPECT_EQ(take(),
            (std::vector<std::string>{"0 there was more in its log than is passed on lines=980", "0 again"}));
  flood(0, 10, 2s);
  log_.ended(0);
  EXPECT_EQ(take(),
            (std::vector<std::string>{"0 again", "0 there was more in its log than is passed on lines=9"}));
}

TEST_F(ChildLogTest, AFloodOfAllIsCutShortToo) {
  for (ChildId child = 0; child < 1000; ++child) flood(child, 1);

  EXPECT_EQ(take().size(), 200U);
}

}  // namespace
}  // namespace hostmesh::test
