#include "hostmesh/base/error.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "hostmesh/base/result.hpp"

namespace hostmesh {
namespace {

TEST(Error, WithoutContextIsItsMessage) {
  EXPECT_EQ(Error(Cause::kTimeout, "no answer").text(), "no answer");
  EXPECT_EQ(Error(Cause::kTimeout, "").text(), "timeout");
  EXPECT_STREQ(Error(Cause::kTimeout, "no answer").what(), "no answer");
}

TEST(Error, TextSaysForWhomWhereOnWhatEvidenceAndWhatToTry) {
  const Error error(ErrorInfo{.cause = Cause::kChildExited,
                              .message = "the child ended before it was ready",
                              .rank = 3,
                              .host = "node7",
                              .phase = "hello",
                              .command = "./train",
                              .os_error = ENOENT,
                              .exit_status = "exited with code 3",
                              .last_lines = {"first", "second"},
                              .hint = "read its log"});
  EXPECT_EQ(error.text(),
            "rank 3, host node7, phase hello: the child ended before it was ready; ENOENT (No such file or "
            "directory); "
            "exited with code 3; command: ./train; try: read its log; last lines of its stderr:\n  | first\n "
            " | second");
}

TEST(Error, ContextIsAddedOnlyWhereThereIsNone) {
  const Error error = Error(Cause::kIo, "broken").with_rank(1).with_host("a").with_phase("run");
  EXPECT_EQ(error.text(), "rank 1, host a, phase run: broken");
  EXPECT_EQ(error.with_rank(2).with_host("b").with_phase("stop"), error);
}

TEST(Error, ASystemErrorIsNamedAndDescribed) {
  EXPECT_EQ(os_error(Cause::kIo, "bind unix:@x", EADDRINUSE).text(),
            "bind unix:@x; EADDRINUSE (Address already in use)");
  EXPECT_EQ(errno_text(123456), "errno 123456");
}

TEST(Error, EachCauseHasItsOwnName) {
  std::map<std::string_view, int> names;
  for (std::uint16_t cause = 0; cause <= 16; ++cause) ++names[to_string(static_cast<Cause>(cause))];
  EXPECT_EQ(names.size(), 17U);
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_EQ(to_string(static_cast<Cause>(999)), "unknown");
}

TEST(Result, ThrowsItsErrorAtTheBorder) {
  EXPECT_EQ(value_or_throw(Result<int>(3)), 3);
  EXPECT_NO_THROW(value_or_throw(Result<>()));
  try {
    value_or_throw(Result<int>(Error(Cause::kPlugin, "no such plugin")));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.cause(), Cause::kPlugin);
  }
}

}  // namespace
}  // namespace hostmesh
