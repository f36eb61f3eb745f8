#include "line_text.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hostmesh::cli {
namespace {

constexpr Stream kOut = Stream::kStdout;
constexpr Stream kErr = Stream::kStderr;
constexpr bool kGoesOn = true;

struct Piece {
  Rank rank;
  std::string text;
  bool continued = false;
  Stream stream = kOut;
};

std::string text_of(const std::vector<Piece>& pieces, Labels labels = Labels::kRank) {
  LineText text(labels);
  std::string all;
  for (const Piece& piece : pieces)
    all += text.add(piece.rank, piece.stream, {.text = piece.text, .continued = piece.continued});
  return all + std::string(text.close());
}

TEST(LineText, EachLineHasItsRank) {
  EXPECT_EQ(text_of({{0, "one"}, {1, ""}, {0, "two"}}), "[0] one\n[1] \n[0] two\n");
  EXPECT_EQ(text_of({{0, "one"}, {1, ""}}, Labels::kNone), "one\n\n");
}

TEST(LineText, APieceGoesOnWhereTheLastOneEnded) {
  EXPECT_EQ(text_of({{0, "Continue? ", kGoesOn}, {0, "yes"}, {0, "done"}}), "[0] Continue? yes\n[0] done\n");
}

TEST(LineText, AnythingElseBeginsANewLine) {
  EXPECT_EQ(text_of({{0, "half", kGoesOn}, {1, "other"}, {0, "rest"}}), "[0] half\n[1] other\n[0] rest\n");
  EXPECT_EQ(text_of({{0, "half", kGoesOn, kOut}, {0, "other", false, kErr}}), "[0] half\n[0] other\n");
  EXPECT_EQ(text_of({{0, "half", kGoesOn}}), "[0] half\n");
}

TEST(LineText, TheLabelIsRepeatedBehindACarriageReturn) {
  EXPECT_EQ(text_of({{0, "\r 0%", kGoesOn}, {0, "\r50%\r99%", kGoesOn}, {0, ""}}),
            "\r[0]  0%\r[0] 50%\r[0] 99%\n");
  EXPECT_EQ(text_of({{0, " 0%\r", kGoesOn}, {0, "50%\r", kGoesOn}, {0, "done"}}),
            "[0]  0%\r[0] 50%\r[0] done\n");
}

TEST(LineText, NotWhereNothingFollowsIt) {
  EXPECT_EQ(text_of({{0, "of another system\r"}, {0, "next"}}), "[0] of another system\r\n[0] next\n");
  EXPECT_EQ(text_of({{0, "wait\r", kGoesOn}, {0, ""}}), "[0] wait\r\n");
  EXPECT_EQ(text_of({{0, "\r"}}), "\r[0] \n");
}

TEST(LineText, WithoutLabelsNothingIsAdded) {
  EXPECT_EQ(text_of({{0, "\r 0%", kGoesOn}, {0, "\r50%\r", kGoesOn}, {0, "x"}}, Labels::kNone),
            "\r 0%\r50%\rx\n");
}

}  // namespace
}  // namespace hostmesh::cli
