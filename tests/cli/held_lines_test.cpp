#include "held_lines.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hostmesh::cli {
namespace {

using namespace std::chrono_literals;

ByteView view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class HeldLinesTest : public ::testing::Test {
 protected:
  static HeldLines::TimePoint at(std::chrono::milliseconds time) { return HeldLines::TimePoint(1h + time); }
  void feed(std::string_view text, std::chrono::milliseconds time, Rank rank = 0) {
    lines.feed(rank, Stream::kStdout, view(text), at(time));
  }
  // What was given out since the last call: whole lines end with |, others with a +.
  std::string take() { return std::exchange(given_, {}); }

  HeldLines lines{[this](Rank rank, Stream, const Line& line) {
    given_ += std::to_string(rank) + ":" + std::string(line.text) + (line.continued ? "+" : "|");
  }};

 private:
  std::string given_;
};

TEST_F(HeldLinesTest, AWholeLineIsGivenOutAtOnce) {
  feed("one\ntwo\n", 0ms);

  EXPECT_EQ(take(), "0:one|0:two|");
  EXPECT_FALSE(lines.due());
}

TEST_F(HeldLinesTest, TheStartOfALineWaitsForTheRest) {
  feed("on", 0ms);
  lines.give_held(at(199ms));
  EXPECT_EQ(take(), "");

  feed("e\n", 199ms);
  EXPECT_EQ(take(), "0:one|");
  EXPECT_FALSE(lines.due());
}

TEST_F(HeldLinesTest, AndIsGivenOutWhenThatDoesNotCome) {
  feed("on", 0ms);
  EXPECT_EQ(lines.due(), at(200ms));

  lines.give_held(at(200ms));
  EXPECT_EQ(take(), "0:on+");
  EXPECT_FALSE(lines.due());
  feed("e\n", 1h);
  EXPECT_EQ(take(), "0:e|");
}

TEST_F(HeldLinesTest, EachLineHasItsOwnTime) {
  feed("one\ntw", 0ms);
  feed("o\nthr", 150ms);
  EXPECT_EQ(take(), "0:one|0:two|");

  lines.give_held(at(200ms));
  EXPECT_EQ(take(), "");
  lines.give_held(at(350ms));
  EXPECT_EQ(take(), "0:thr+");
}

TEST_F(HeldLinesTest, WhatIsAddedMeanwhileDoesNotPutItOff) {
  for (int i = 0; i < 20; ++i) {
    feed(".", i * 10ms);
    lines.give_held(at(i * 10ms));
  }
  EXPECT_EQ(take(), "");

  lines.give_held(at(200ms));
  EXPECT_EQ(take(), "0:....................+");
}

TEST_F(HeldLinesTest, EachRankIsHeldByItself) {
  feed("a", 0ms, 0);
  feed("b", 100ms, 1);

  lines.give_held(at(200ms));
  EXPECT_EQ(take(), "0:a+");
  EXPECT_EQ(lines.due(), at(300ms));
  lines.give_held(at(1s));
  EXPECT_EQ(take(), "1:b+");
}

TEST_F(HeldLinesTest, AnEndEndsTheLine) {
  feed("never held", 0ms, 0);
  feed("held", 0ms, 1);
  feed("", 0ms, 2);
  lines.give_held(at(0ms));
  lines.end(0);
  lines.give_held(at(200ms));
  EXPECT_EQ(take(), "0:never held|1:held+");

  lines.end(1);
  lines.end(2);
  lines.end(3);
  EXPECT_EQ(take(), "1:|");
  EXPECT_FALSE(lines.due());
}

TEST_F(HeldLinesTest, HalfACharacterWaitsForItsOtherHalf) {
  feed("a\xC3", 0ms);
  lines.give_held(at(200ms));
  EXPECT_EQ(take(), "0:a+");
  EXPECT_FALSE(lines.due());

  feed("\xA4", 300ms);
  EXPECT_EQ(lines.due(), at(500ms));
  lines.give_held(at(500ms));
  EXPECT_EQ(take(), "0:\xC3\xA4+");
}

}  // namespace
}  // namespace hostmesh::cli
