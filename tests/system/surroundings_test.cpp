// Runs where something is missing that programs rely on: a terminal of their own, or /proc.
#include <unistd.h>

#include <csignal>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

class Surroundings : public SystemTest {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "only root may make name spaces";
  }
  static StartOptions inside(std::vector<std::string> wrapper, StartOptions options) {
    wrapper.insert(wrapper.end(), options.argv.begin(), options.argv.end());
    options.argv = std::move(wrapper);
    return options;
  }
  // A command that leaves a process in a session of its own.
  StartOptions leaves_one() const {
    return run_script({"--extent", "hosts=2"}, "setsid " + sleep_marked() + " >/dev/null 2>&1 & echo left");
  }
};

// Were it to ask on a terminal that it does not get to see, it would wait for ever.
TEST_F(SystemTest, ACommandThatAsksTheTerminalIsToldAtOnceThatItHasNone) {
  std::string line;
  for (const std::string& word : run_script({}, "read answer </dev/tty || echo refused").argv) {
    line += (line.empty() ? "'" : " '") + word + "'";
  }
  Running terminal({.argv = {"script", "--quiet", "--return", "--command", line, "/dev/null"}});
  ASSERT_TRUE(terminal.finish());
  EXPECT_EQ(terminal.status(), 0) << terminal.out();
  EXPECT_NE(terminal.out().find("/dev/tty"), std::string::npos) << terminal.out();
  EXPECT_NE(terminal.out().find("refused"), std::string::npos) << terminal.out();
}

TEST_F(Surroundings, WithoutProcNothingIsLeft) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer itself needs /proc";
#endif
  Running run(inside({"unshare", "--mount", "sh", "-c", "mount -t tmpfs none /proc && exec \"$@\"", "sh"},
                     leaves_one()));
  ASSERT_TRUE(run.finish());
  EXPECT_EQ(run.status(), 0) << run.err();
  EXPECT_EQ(sorted_lines_of(run.out()).size(), 2U) << run.out();
  EXPECT_NE(run.err().find("some that cannot be seen"), std::string::npos) << run.err();
  expect_nothing_left();
}

// The numbers in its /proc are those of other processes.
TEST_F(Surroundings, WithTheProcOfAnotherPidNameSpaceNothingIsLeft) {
  // The first process of a name space takes all others with it, so that must not be hostmesh.
  Running run(inside({"unshare", "--pid", "--fork", "--kill-child", "sh", "-c",
                      "\"$@\"; echo \"ended $?\"; exec tail -f /dev/null", "sh"},
                     leaves_one()));
  ASSERT_TRUE(run.read_until_out("ended")) << run.out() << run.err();
  EXPECT_NE(run.out().find("ended 0"), std::string::npos) << run.out() << run.err();
  EXPECT_EQ(processes_named("sleep"), std::vector<pid_t>{});
  run.signal(SIGKILL);
  ASSERT_TRUE(run.finish());
  expect_nothing_left();
}

}  // namespace
}  // namespace hostmesh::test
