#include "hostmesh/process/exit_status.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>

namespace hostmesh {
namespace {

TEST(ExitStatus, TextSaysCodeOrSignalAndCore) {
  EXPECT_EQ(ExitStatus::exited(3).text(), "exited with code 3");
  EXPECT_EQ(ExitStatus::signalled(SIGKILL, false).text(), "killed by signal 9 (KILL)");
  EXPECT_EQ(ExitStatus::signalled(SIGSEGV, true).text(), "killed by signal 11 (SEGV), core dumped");
  EXPECT_EQ(ExitStatus::signalled(SIGRTMIN + 3, false).text(),
            "killed by signal " + std::to_string(SIGRTMIN + 3) + " (RTMIN+3)");
  EXPECT_EQ(ExitStatus::unknown("lost").text(), "exit status unknown: lost");
  EXPECT_EQ(ExitStatus().text(), "exit status unknown");
}

TEST(ExitStatus, FromWaitTellsTheThreeEndsApart) {
  EXPECT_EQ(ExitStatus::from_wait(CLD_EXITED, 5), ExitStatus::exited(5));
  EXPECT_EQ(ExitStatus::from_wait(CLD_KILLED, SIGINT), ExitStatus::signalled(SIGINT, false));
  EXPECT_EQ(ExitStatus::from_wait(CLD_DUMPED, SIGABRT), ExitStatus::signalled(SIGABRT, true));
  EXPECT_EQ(ExitStatus::from_wait(CLD_STOPPED, SIGSTOP).kind, ExitStatus::Kind::kUnknown);
}

TEST(ExitStatus, OnlyCodeZeroIsSuccess) {
  EXPECT_TRUE(ExitStatus::exited(0).success());
  EXPECT_FALSE(ExitStatus::exited(1).success());
  EXPECT_FALSE(ExitStatus().success());
}

}  // namespace
}  // namespace hostmesh
