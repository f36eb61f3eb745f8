#include "hostmesh/process/lines.hpp"

#include <gtest/gtest.h>

#include <random>

namespace hostmesh {
namespace {

ByteView view(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

struct Piece {
  std::string text;
  bool continued;
  bool operator==(const Piece&) const = default;
};

struct Collected {
  std::vector<Piece> pieces;
  LineSplitter::Sink sink() {
    return [this](const Line& line) { pieces.push_back({std::string(line.text), line.continued}); };
  }
};

TEST(LineSplitter, GivesWholeLinesAcrossChunks) {
  LineSplitter splitter;
  Collected got;
  for (const auto* chunk : {"one\ntw", "o", "\n\nfour"}) splitter.feed(view(chunk), got.sink());
  EXPECT_EQ(got.pieces, (std::vector<Piece>{{"one", false}, {"two", false}, {"", false}}));
  splitter.finish(got.sink());
  EXPECT_EQ(got.pieces.back(), (Piece{"four", false}));
  EXPECT_EQ(splitter.pending(), 0U);
}

TEST(LineSplitter, FinishGivesNothingAfterAWholeLine) {
  LineSplitter splitter;
  Collected got;
  splitter.feed(view("one\n"), got.sink());
  splitter.finish(got.sink());
  EXPECT_EQ(got.pieces.size(), 1U);
}

TEST(LineSplitter, WhatIsHeldCanBeGivenOutAndThenTheLineGoesOn) {
  LineSplitter splitter;
  Collected got;
  splitter.give_held(got.sink());
  splitter.feed(view("one"), got.sink());
  splitter.give_held(got.sink());
  splitter.give_held(got.sink());
  splitter.feed(view(" two\n"), got.sink());
  EXPECT_EQ(got.pieces, (std::vector<Piece>{{"one", true}, {" two", false}}));
  splitter.finish(got.sink());
  EXPECT_EQ(got.pieces.size(), 2U);
}

TEST(LineSplitter, FinishEndsALineOfWhichAllIsGivenOut) {
  LineSplitter splitter;
  Collected got;
  splitter.feed(view("one"), got.sink());
  splitter.give_held(got.sink());
  splitter.finish(got.sink());
  splitter.finish(got.sink());
  EXPECT_EQ(got.pieces, (std::vector<Piece>{{"one", true}, {"", false}}));
}

TEST(LineSplitter, WhatIsHeldIsGivenOutInWholeCharacters) {
  struct Row {
    std::string fed;
    std::string given;
  };
  const std::vector<Row> rows{{"a\xC3", "a"},
                              {"a\xC3\xA4", "a\xC3\xA4"},
                              {"a\xE2\x82", "a"},
                              {"a\xF0\x9F\x98", "a"},
                              {"\xE2", ""},
                              {"a\xFF", "a\xFF"},
                              {"a\xE0\x80", "a\xE0\x80"},
                              {"\x80\x80\x80\x80", "\x80\x80\x80\x80"}};
  for (const Row& row : rows) {
    LineSplitter splitter;
    std::string given;
    splitter.feed(view(row.fed), [](const Line&) { FAIL(); });
    splitter.give_held([&](const Line& piece) { given += piece.text; });
    EXPECT_EQ(given, row.given) << row.fed;
    EXPECT_EQ(splitter.pending(), row.fed.size() - row.given.size());
  }
}

TEST(LineSplitter, ALineOfExactlyTheLimitIsNotCut) {
  LineSplitter splitter(8);
  Collected got;
  splitter.feed(view("12345678\n"), got.sink());
  splitter.feed(view("1234"), got.sink());
  splitter.feed(view("5678\n123456789\n"), got.sink());
  EXPECT_EQ(got.pieces,
            (std::vector<Piece>{{"12345678", false}, {"12345678", false}, {"12345678", true}, {"9", false}}));
}

TEST(LineSplitter, PiecesEndAtTheBorderOfACharacter) {
  LineSplitter splitter(8);
  Collected got;
  splitter.feed(view("1234567\xC3\xA4xyz\n"), got.sink());
  EXPECT_EQ(got.pieces, (std::vector<Piece>{{"1234567", true}, {"\xC3\xA4xyz", false}}));
}

TEST(LineSplitter, MemoryStaysBoundedWithoutAnyNewline) {
  LineSplitter splitter(1000);
  const std::string chunk(64 * 1024, 'x');
  std::size_t given = 0;
  for (int i = 0; i < 160; ++i) {
    splitter.feed(view(chunk), [&](const Line& line) {
      EXPECT_TRUE(line.continued);
      EXPECT_LE(line.text.size(), 1000U);
      given += line.text.size();
    });
    ASSERT_LE(splitter.pending(), 1000U);
  }
  EXPECT_EQ(given + splitter.pending(), 160 * chunk.size());
}

TEST(LineSplitter, WhateverTheChunksTheLinesAreTheSame) {
  std::mt19937 random(20240611);
  for (int round = 0; round < 300; ++round) {
    std::string text(random() % 400, '\0');
    for (char& c : text) c = "ab\n\xC3\xA4\xF0\x9F\x98\x80"[random() % 9];
    Collected at_once;
    LineSplitter whole(16);
    whole.feed(view(text), at_once.sink());
    whole.finish(at_once.sink());
    Collected bit_by_bit;
    LineSplitter parts(16);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min<std::size_t>(1 + random() % 30, text.size() - at);
      parts.feed(view(std::string_view(text).substr(at, size)), bit_by_bit.sink());
      at += size;
    }
    parts.finish(bit_by_bit.sink());
    ASSERT_EQ(at_once.pieces, bit_by_bit.pieces) << "round " << round;
    std::string joined;
    for (const Piece& piece : at_once.pieces) joined += piece.text + (piece.continued ? "" : "\n");
    if (!text.empty() && text.back() != '\n') joined.pop_back();
    ASSERT_EQ(joined, text) << "round " << round;
  }
}

TEST(LineTail, KeepsTheLastLinesThatSaySomething) {
  LineTail tail(3);
  tail.feed(view("one\ntwo\n\n   \nthree\r\nfour\nfi"));
  EXPECT_EQ(tail.lines(), (std::vector<std::string>{"three", "four", "fi"}));
  tail.feed(view("ve\n"));
  EXPECT_EQ(tail.lines(), (std::vector<std::string>{"three", "four", "five"}));
}

TEST(LineTail, LongLinesAreCutAtACharacterAndMarked) {
  LineTail tail(2);
  tail.feed(view("x" + std::string(4095, 'x').replace(4094, 1, "\xC3\xA4") + std::string(100000, 'y') +
                 "\nlast\n"));
  const auto lines = tail.lines();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0], std::string(4095, 'x') + "... (100002 bytes more)");
  EXPECT_EQ(lines[1], "last");
}

TEST(LineTail, StaysSmallWhateverIsFed) {
  LineTail tail(5);
  for (int i = 0; i < 1000; ++i) tail.feed(view(std::string(10000, i % 7 == 0 ? '\n' : '\xFF')));
  std::size_t bytes = 0;
  for (const std::string& line : tail.lines()) bytes += line.size();
  EXPECT_LE(tail.lines().size(), 5U);
  EXPECT_LE(bytes, 5 * (LineTail::kMaxLineBytes + 64));
}

TEST(Utf8, InvalidSequencesBecomeReplacements) {
  const std::string bad = "\xEF\xBF\xBD";
  EXPECT_EQ(valid_utf8("plain \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80"),
            "plain \xC3\xA4 \xE2\x82\xAC \xF0\x9F\x98\x80");
  EXPECT_EQ(valid_utf8("a\xFFz"), "a" + bad + "z");
  EXPECT_EQ(valid_utf8("\xC3"), bad);                                // cut short
  EXPECT_EQ(valid_utf8("\xE2\x82z"), bad + "z");                     // the start of one stands for one
  EXPECT_EQ(valid_utf8("\xC0\xAF"), bad + bad);                      // overlong
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), bad + bad + bad);            // surrogate
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), bad + bad + bad + bad);  // beyond the last
}

TEST(Utf8, PrefixNeverCutsACharacter) {
  const std::string text = "a\xE2\x82\xAC";
  EXPECT_EQ(utf8_prefix(text, 4), text);
  EXPECT_EQ(utf8_prefix(text, 3), "a");
  EXPECT_EQ(utf8_prefix(text, 1), "a");
  EXPECT_EQ(utf8_prefix("\x80\x80\x80\x80\x80\x80", 5).size(), 5U);
}

}  // namespace
}  // namespace hostmesh
