// The allocator `process`, loaded like any plugin, with real commands; and LocalLauncher, which does them.
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "plugin/launch_bench.hpp"

namespace hostmesh {
namespace {

enum class Through { kPlugin, kPlainC, kMyAllocator, kCAllocator, kLocalLauncher };

// Whatever the way, the same behaviour.
class Commands : public ::testing::TestWithParam<Through> {
 protected:
  Commands() {
    if (GetParam() == Through::kLocalLauncher) {
      bench.open_local();
      return;
    }
    const auto plugin = Plugin::load(file());
    EXPECT_TRUE(plugin) << plugin.error().text();
    EXPECT_EQ(bench.open(**plugin), "");
  }
  static const char* file() {
    switch (GetParam()) {
      case Through::kPlainC:
        return SAMPLE_PLUGINS "/libplain_c.so";
      case Through::kMyAllocator:
        return SAMPLE_PLUGINS "/libmy_allocator.so";
      case Through::kCAllocator:
        return SAMPLE_PLUGINS "/libc_allocator.so";
      case Through::kPlugin:
      case Through::kLocalLauncher:
        break;
    }
    return STOCK_PLUGINS "/libprocess.so";
  }
  LaunchBench bench;
};

INSTANTIATE_TEST_SUITE_P(Through, Commands,
                         ::testing::Values(Through::kPlugin, Through::kPlainC, Through::kMyAllocator,
                                           Through::kCAllocator, Through::kLocalLauncher),
                         [](const auto& each) {
                           switch (each.param) {
                             case Through::kPlugin:
                               return "ProcessPlugin";
                             case Through::kPlainC:
                               return "PlainCPlugin";
                             case Through::kMyAllocator:
                               return "MyAllocator";
                             case Through::kCAllocator:
                               return "CAllocator";
                             case Through::kLocalLauncher:
                               break;
                           }
                           return "LocalLauncher";
                         });

TEST_P(Commands, AreLaunchedSpeakAndExit) {
  bench.shell(7, "echo to out; echo to err >&2; exit 3");

  const LaunchRecord record = bench.wait_end(7);
  EXPECT_EQ(record.launched, 1);
  EXPECT_GT(record.pid, 0);
  EXPECT_EQ(record.node, "here");
  EXPECT_EQ(record.out, "to out\n");
  EXPECT_EQ(record.err, "to err\n");
  EXPECT_EQ(record.status, ExitStatus::exited(3));
}

TEST_P(Commands, RunManyAtOnceWithoutMixingThemUp) {
  constexpr LaunchId kMany = 20;
  for (LaunchId id = 1; id <= kMany; ++id)
    bench.shell(id, "echo I am " + std::to_string(id) + "; exit " + std::to_string(id));

  for (LaunchId id = 1; id <= kMany; ++id) {
    const LaunchRecord record = bench.wait_end(id);
    EXPECT_EQ(record.out, "I am " + std::to_string(id) + "\n");
    EXPECT_EQ(record.status, ExitStatus::exited(static_cast<int>(id)));
  }
}

TEST_P(Commands, AllThatWasWrittenComesBeforeTheExit) {
  bench.shell(1, "head -c 3000000 /dev/zero; printf end");

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.out.size(), 3000003U);
  EXPECT_TRUE(record.out.ends_with("end"));
  EXPECT_EQ(record.events_after_end, 0);
}

TEST_P(Commands, HaveTheirPayloadAndThenTheEnd) {
  bench.launch(1, {"cat"}, "secret", LaunchRequest::Stdin::kPayloadThenEof);

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.out, "secret");
  EXPECT_EQ(record.status, ExitStatus::exited(0));
}

TEST_P(Commands, KeepTheirLifelineUntilItIsClosed) {
  bench.launch(1, {"cat"}, "secret\n");
  bench.wait_output(1, "secret\n");
  EXPECT_EQ(bench.record(1).ends, 0);

  bench.on_reactor([&] { bench.launcher->close_stdin(1); });

  EXPECT_EQ(bench.wait_end(1).status, ExitStatus::exited(0));
}

TEST_P(Commands, ThatCannotBeExecutedFailWithCommandAndErrno) {
  bench.launch(1, {"/nonexistent/program", "--flag"});

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.launched, 0);
  EXPECT_EQ(record.error.cause(), Cause::kSpawnFailed) << record.error.text();
  EXPECT_EQ(record.error.info().os_error, ENOENT);
  EXPECT_NE(record.error.info().command.find("/nonexistent/program"), std::string::npos)
      << record.error.text();
}

TEST_P(Commands, WithoutAnyWordFail) {
  bench.launch(1, {});

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.launched, 0);
  EXPECT_EQ(record.error.cause(), Cause::kInvalidArgument) << record.error.text();
}

TEST_P(Commands, AreSignalledWithTheirGroup) {
  bench.shell(1,
              "sleep 1000 & trap 'wait; echo child gone; exit 4' TERM; echo ready; while :; do wait; done");
  bench.wait_output(1, "ready");

  bench.signal(1, SIGTERM);

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.out, "ready\nchild gone\n");
  EXPECT_EQ(record.status, ExitStatus::exited(4));
}

TEST_P(Commands, AreSignalledAlthoughTheyAreStillBeingStarted) {
  bench.on_reactor([&] {
    bench.launcher->launch(1, {.argv = {"/bin/sleep", "1000"}});
    bench.launcher->signal(1, SIGKILL);
  });

  EXPECT_EQ(bench.wait_end(1).status, ExitStatus::signalled(SIGKILL, false));
}

TEST_P(Commands, ThatHaveEndedOrNeverWereCanBeSignalled) {
  bench.shell(1, "exit 0");
  bench.wait_end(1);

  bench.signal(1, SIGKILL);
  bench.signal(99, SIGKILL);
  bench.on_reactor([&] {
    bench.launcher->close_stdin(1);
    bench.launcher->pause_output(99);
    bench.launcher->resume_output(1);
  });

  EXPECT_EQ(bench.record(1).ends, 1);
}

TEST_P(Commands, SayNothingWhilePausedNotEvenThatTheyEnded) {
  bench.on_reactor([&] {
    bench.launcher->launch(1, {.argv = {"/bin/sh", "-c", "echo hello"}});
    bench.launcher->pause_output(1);
  });
  const LaunchRecord launched = bench.wait_launched(1);
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, launched.pid, 0));
  if (pidfd >= 0) {  // else it is gone already
    pollfd gone{.fd = pidfd, .events = POLLIN};
    EXPECT_EQ(::poll(&gone, 1, 30000), 1);
    ::close(pidfd);
  }
  bench.shell(2, "exit 0");  // the reactor goes on with others
  bench.wait_end(2);
  EXPECT_EQ(bench.record(1).out, "");
  EXPECT_EQ(bench.record(1).ends, 0);

  bench.on_reactor([&] { bench.launcher->resume_output(1); });

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.out, "hello\n");
  EXPECT_EQ(record.status, ExitStatus::exited(0));
}

TEST_P(Commands, AreKilledWithTheirGrandchildrenWhenTheLauncherGoes) {
  // Each says its grandchild's pid and would live on.
  std::vector<int> alive;
  for (LaunchId id = 1; id <= 3; ++id) {
    bench.shell(id, "trap '' TERM HUP; sleep 1000 & echo $!; wait");
    const LaunchRecord record = bench.wait_output(id, "\n");
    alive.push_back(static_cast<int>(::syscall(SYS_pidfd_open, record.pid, 0)));
    alive.push_back(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(record.out), 0)));
  }

  bench.destroy();

  for (const int pidfd : alive) {
    ASSERT_GE(pidfd, 0);
    pollfd gone{.fd = pidfd, .events = POLLIN};
    EXPECT_EQ(::poll(&gone, 1, 30000), 1);
    ::close(pidfd);
  }
  bench.on_reactor([] {});
  EXPECT_EQ(bench.events_after_destroy(), 0);
}

TEST_P(Commands, ThatAreBeingStartedWhenTheLauncherGoesAreNeverHeardOf) {
  bench.on_reactor([&] {
    for (LaunchId id = 1; id <= 10; ++id) bench.launcher->launch(id, {.argv = {"/bin/sleep", "1000"}});
    bench.launcher.reset();
  });

  bench.destroy();
  bench.launch_thread = std::make_unique<LaunchThread>();  // waits for what was under way
  bench.on_reactor([] {});
  for (LaunchId id = 1; id <= 10; ++id) EXPECT_EQ(bench.record(id).events, 0);
}

TEST_P(Commands, MayLoseTheirLauncherInAnEvent) {
  bench.when_launched = [&](LaunchId) { bench.launcher.reset(); };
  bench.shell(1, "exit 0");

  const LaunchRecord record = bench.wait_launched(1);
  bench.on_reactor([] {});

  EXPECT_EQ(record.events, 1);
  EXPECT_EQ(bench.record(1).ends, 0);
}

TEST_P(Commands, MayLoseTheirLauncherInTheLastEvent) {
  bench.when_ended = [&](LaunchId) { bench.launcher.reset(); };
  bench.shell(1, "exit 0");

  EXPECT_EQ(bench.wait_end(1).ends, 1);
  bench.on_reactor([&] { EXPECT_EQ(bench.launcher, nullptr); });
}

}  // namespace
}  // namespace hostmesh
