#include "hostmesh/base/text.hpp"

#include <gtest/gtest.h>

#include <random>

namespace hostmesh {
namespace {

TEST(Printable, LeavesTextForPeopleAsItIs) {
  for (const char* text :
       {"", "plain", "tab\there", "back\\slash \"quoted\"", "gr\xC3\xBC\xC3\x9F dich \xF0\x9F\x98\x80"})
    EXPECT_EQ(printable(text), text);
}

TEST(Printable, EscapesWhatATerminalOrAReaderOfLinesWouldObey) {
  EXPECT_EQ(printable("a\nb\r"), "a\\nb\\r");
  EXPECT_EQ(printable("\x1b[2J\x07\x7f"), "\\x1b[2J\\x07\\x7f");
  EXPECT_EQ(printable("\xC2\x9B"
                      "2J"),
            "\\u009b2J");  // CSI as one character
  EXPECT_EQ(printable("bad \xFF\xC3"), "bad \\xff\\xc3");
  // Bidi controls, and separators of lines and paragraphs.
  EXPECT_EQ(printable("a\u202Eb\u2066c\u200Fd\u061Ce\u2028f"), "a\\u202eb\\u2066c\\u200fd\\u061ce\\u2028f");
  EXPECT_EQ(printable("\u200D\u2070\u00A0"), "\u200D\u2070\u00A0");
  EXPECT_EQ(printable(std::string_view("nul\0!", 5)), "nul\\x00!");
  EXPECT_EQ(printable_lines("a\nb\x1b"), "a\nb\\x1b");
}

TEST(Printable, CutsWithANoteAndNeverWithinACharacter) {
  EXPECT_EQ(printable("abcdef", 6), "abcdef");
  EXPECT_EQ(printable("abcdef", 4), "abcd... (2 bytes more)");
  EXPECT_EQ(printable("a\xE2\x82\xAC", 3), "a... (3 bytes more)");
}

TEST(Printable, OfRandomBytesIsValidAndOneLineAndStaysAsItIs) {
  std::mt19937 random(20261127);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 40, '\0');
    for (char& each : bytes) each = static_cast<char>(random());
    const std::string text = printable(bytes);
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(text.find_first_of(std::string_view("\0\n\r\x1b\x7f", 5)), std::string::npos);
    EXPECT_EQ(printable(text), text);
    EXPECT_TRUE(is_valid_utf8(valid_utf8(bytes)));
  }
}

}  // namespace
}  // namespace hostmesh
