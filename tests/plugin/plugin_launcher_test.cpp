// What the host makes of a plugin that reports from other threads, in any order, right or wrong.
#include "hostmesh/plugin/plugin_launcher.hpp"

#include <csignal>

#include "plugin/launch_bench.hpp"

namespace hostmesh {
namespace {

class ScriptedPlugin : public ::testing::Test {
 protected:
  ScriptedPlugin() : plugin(load()) {
    EXPECT_EQ(bench.open(*plugin, {{"name", std::string("n")},
                                   {"count", std::int64_t{-8}},
                                   {"fast", true},
                                   {"patience", Duration(std::chrono::milliseconds(1500))},
                                   {"hosts", std::vector<std::string>{"a", "", "c"}}}),
              "");
  }
  static std::shared_ptr<Plugin> load() {
    auto loaded = Plugin::load(SAMPLE_PLUGINS "/libscripted.so");
    EXPECT_TRUE(loaded) << loaded.error().text();
    return *loaded;
  }
  // Runs the steps to the end of the launch.
  LaunchRecord run(LaunchId id, std::vector<std::string> steps) {
    bench.launch(id, std::move(steps));
    return bench.wait_end(id);
  }

  std::shared_ptr<Plugin> plugin;
  LaunchBench bench;
};

TEST_F(ScriptedPlugin, GetsItsOptions) {
  EXPECT_EQ(run(1, {"launched", "config", "exit:0"}).out, "n|-8|fast|1500000000|a;;c;");
}

TEST_F(ScriptedPlugin, ReportsInOrderFromItsOwnThread) {
  const LaunchRecord record = run(1, {"launched", "out:one ", "err:bad", "out:two", "exit:5"});

  EXPECT_EQ(record.launched, 1);
  EXPECT_EQ(record.pid, 4711);
  EXPECT_EQ(record.node, "nowhere");
  EXPECT_EQ(record.out, "one two");
  EXPECT_EQ(record.err, "bad");
  EXPECT_EQ(record.status, ExitStatus::exited(5));
}

TEST_F(ScriptedPlugin, ReportsFromManyThreadsWithoutLosingAnything) {
  constexpr LaunchId kMany = 50;
  for (LaunchId id = 1; id <= kMany; ++id) {
    bench.launch(id, {"launched", "out:" + std::to_string(id), "out:!", "kill:9"});
  }

  for (LaunchId id = 1; id <= kMany; ++id) {
    const LaunchRecord record = bench.wait_end(id);
    EXPECT_EQ(record.out, std::to_string(id) + "!");
    EXPECT_EQ(record.status, ExitStatus::signalled(SIGKILL, false));
  }
}

TEST_F(ScriptedPlugin, FailsALaunchWithItsOwnWords) {
  const LaunchRecord record = run(1, {"fail:no room at the inn"});

  EXPECT_EQ(record.launched, 0);
  EXPECT_EQ(record.error.cause(), Cause::kRemote);
  EXPECT_EQ(record.error.text(), "plugin 'scripted': no room at the inn; ENOSPC (No space left on device)");
}

TEST_F(ScriptedPlugin, MayLoseALaunchThatRan) {
  const LaunchRecord record = run(1, {"launched", "fail:the node is gone"});

  EXPECT_EQ(record.launched, 1);
  EXPECT_EQ(record.error.info().os_error, ENOSPC);
}

TEST_F(ScriptedPlugin, EndsALaunchOnlyOnce) {
  run(1, {"launched", "exit:1", "exit:2", "fail:x", "out:ghost", "launched", "kill:9"});
  run(2, {"launched", "exit:0"});
  bench.destroy();  // waits for the threads of the plugin

  const LaunchRecord record = bench.record(1);
  EXPECT_EQ(record.ends, 1);
  EXPECT_EQ(record.events, 2);
  EXPECT_EQ(record.status, ExitStatus::exited(1));
}

TEST_F(ScriptedPlugin, IsNotBelievedAboutUnknownLaunches) {
  run(1, {"launched", "stranger", "exit:0"});

  EXPECT_EQ(bench.record(1001).events, 0);
}

TEST_F(ScriptedPlugin, LaunchesOnlyOnceAndSpeaksOnlyAfterwards) {
  const LaunchRecord record = run(1, {"out:early", "launched", "launched", "out:late", "exit:0"});

  EXPECT_EQ(record.launched, 1);
  EXPECT_EQ(record.out, "late");
}

TEST_F(ScriptedPlugin, AnExitOfWhatWasNeverLaunchedIsAFailureAndNotAHang) {
  const LaunchRecord record = run(1, {"exit:3", "launched", "exit:0"});

  EXPECT_EQ(record.launched, 0);
  EXPECT_EQ(record.error.cause(), Cause::kPlugin);
  EXPECT_EQ(record.error.info().exit_status, "exited with code 3");
}

TEST_F(ScriptedPlugin, ThatThrowsInLaunchFailsThatLaunch) {
  const LaunchRecord record = run(1, {"throw"});

  EXPECT_EQ(record.error.text(), "plugin 'scripted': told to throw; EHOSTDOWN (Host is down)");
  EXPECT_EQ(run(2, {"launched", "exit:0"}).status, ExitStatus::exited(0));
}

TEST_F(ScriptedPlugin, ThatThrowsAfterItHadACommandRunLosesIt) {
  const LaunchRecord record = run(1, {"run:sleep 1000", "throw"});

  EXPECT_EQ(record.error.cause(), Cause::kRemote);
  run(2, {"run:exit 0"});
  EXPECT_EQ(bench.record(1).ends, 1);
}

TEST_F(ScriptedPlugin, ThatThrowsInSignalIsLoggedAndGoesOn) {
  bench.launch(1, {"launched", "wait", "exit:6"});
  bench.wait_launched(1);

  bench.signal(1, 100);

  EXPECT_EQ(bench.wait_end(1).status, ExitStatus::exited(6));
}

TEST_F(ScriptedPlugin, HasACommandRunAsTheWayToANode) {
  const LaunchRecord record = run(1, {"run_at:node7=echo hello; exit 255"});

  EXPECT_EQ(record.node, "node7");
  EXPECT_EQ(record.pid, 0);
  EXPECT_EQ(record.out, "hello\n");
  EXPECT_EQ(record.status, ExitStatus::exited(255));
}

TEST_F(ScriptedPlugin, HasNoSayAboutCommandsThatTheHostRuns) {
  const LaunchRecord record = run(1, {"run:echo mine; exit 2", "launched", "out:not mine", "exit:0"});

  EXPECT_EQ(record.launched, 1);
  EXPECT_EQ(record.node, "here");
  EXPECT_EQ(record.out, "mine\n");
  EXPECT_EQ(record.status, ExitStatus::exited(2));
}

TEST_F(ScriptedPlugin, IsKeptWaitingInOrderWhilePaused) {
  bench.launch(1, {"launched", "wait", "out:one", "out:two", "exit:4"});
  bench.wait_launched(1);
  bench.on_reactor([&] { bench.launcher->pause_output(1); });
  bench.signal(1, SIGCONT);
  run(2, {"launched", "exit:0"});
  EXPECT_EQ(bench.record(1).out, "");
  EXPECT_EQ(bench.record(1).ends, 0);

  bench.on_reactor([&] {
    bench.launcher->resume_output(1);
    EXPECT_EQ(bench.record(1).out, "") << "an event from inside a call";
  });

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.out, "onetwo");
  EXPECT_EQ(record.status, ExitStatus::exited(4));
}

// The plugin is told of the pause before it is known here that it wants the launch to be run.
TEST_F(ScriptedPlugin, ThatWasPausedBeforeItsCommandRanIsHeardAfterTheResume) {
  bench.on_reactor([&] {
    bench.launcher->launch(1, {.argv = {"run:echo here; exit 3"}});
    bench.launcher->pause_output(1);
  });
  bench.wait_launched(1);

  bench.on_reactor([&] { bench.launcher->resume_output(1); });

  const LaunchRecord record = bench.wait_end(1);
  EXPECT_EQ(record.out, "here\n");
  EXPECT_EQ(record.status, ExitStatus::exited(3));
}

TEST_F(ScriptedPlugin, ThatFailedToLaunchIsHeardAlthoughPaused) {
  bench.on_reactor([&] {
    bench.launcher->launch(1, {.argv = {"fail:x"}});
    bench.launcher->pause_output(1);
  });

  EXPECT_EQ(bench.wait_end(1).error.info().os_error, ENOSPC);
}

TEST_F(ScriptedPlugin, IsNotHeardOnceItsLauncherBeganToGo) {
  for (LaunchId id = 1; id <= 10; ++id) bench.launch(id, {"launched", "wait", "out:ghost", "exit:0"});
  for (LaunchId id = 1; id <= 10; ++id) bench.wait_launched(id);

  bench.destroy();  // wakes the threads, which report while the plugin is being destroyed
  bench.on_reactor([] {});

  EXPECT_EQ(bench.events_after_destroy(), 0);
  for (LaunchId id = 1; id <= 10; ++id) EXPECT_EQ(bench.record(id).events, 1);
}

TEST_F(ScriptedPlugin, ThatReportsForADestroyedInstanceDoesNoHarm) {
  run(1, {"launched", "exit:0"});
  bench.destroy();
  LaunchBench next;
  ASSERT_EQ(next.open(*plugin, {{"name", std::string("next")},
                                {"count", std::int64_t{1}},
                                {"fast", false},
                                {"patience", Duration(0)}}),
            "");

  next.launch(5, {"late", "launched", "exit:0"});

  EXPECT_EQ(next.wait_end(5).launched, 1);
  EXPECT_EQ(bench.record(5).events, 0);
}

TEST_F(ScriptedPlugin, KeepsTheLibraryAsLongAsTheLauncherLives) {
  plugin.reset();

  EXPECT_EQ(run(1, {"launched", "exit:0"}).status, ExitStatus::exited(0));
}

// --- commands with a marker ---

TEST_F(ScriptedPlugin, ALaunchBeginsWhenItsMarkerHasCome) {
  const LaunchRecord record =
      run(1, {"mark:GO!=echo a greeting; printf G; printf 'O!'; echo its own; echo bad >&2; exit 4"});

  EXPECT_EQ(record.launched, 1);
  EXPECT_EQ(record.out, "its own\n");
  EXPECT_EQ(record.err, "bad\n");
  EXPECT_EQ(record.status, ExitStatus::exited(4));
}

TEST_F(ScriptedPlugin, AnEndBeforeTheMarkerIsAFailureWithAllThatWasSaid) {
  const LaunchRecord record = run(1, {"mark:GO!=echo a greeting; echo bad >&2; exit 3"});

  EXPECT_EQ(record.launched, 0);
  EXPECT_EQ(record.out + record.err, "");
  EXPECT_EQ(record.error.cause(), Cause::kSpawnFailed);
  EXPECT_EQ(record.error.info().exit_status, "exited with code 3");
  EXPECT_EQ(record.error.info().last_lines.size(), 2U);
}

TEST_F(ScriptedPlugin, AGreetingThatDoesNotEndIsAFailure) {
  const LaunchRecord record = run(1, {"mark:GO!=exec yes"});

  EXPECT_EQ(record.launched, 0);
  EXPECT_NE(record.error.text().find("more than 64 KiB"), std::string::npos) << record.error.text();
}

TEST_F(ScriptedPlugin, MayExplainTheEndOfItsCommand) {
  const LaunchRecord early = run(1, {"mark:GO!=echo no way; exit 3", "then_fail:it said: "});
  const LaunchRecord late = run(2, {"mark:GO!=printf GO!; echo no way >&2; exit 3", "then_fail:it said: "});

  EXPECT_EQ(early.launched, 0);
  EXPECT_EQ(early.error.text(), "plugin 'scripted': it said: no way");
  EXPECT_EQ(late.launched, 1);
  EXPECT_EQ(late.error.cause(), Cause::kPeerGone);
  EXPECT_EQ(late.error.text(), "plugin 'scripted': it said: no way");
}

TEST_F(ScriptedPlugin, MayTakeALaunchBackAndTryAgain) {
  const LaunchRecord record = run(1, {"mark:GO!=exit 3", "then_run:printf GO!; echo at last"});

  EXPECT_EQ(record.launched, 1);
  EXPECT_EQ(record.out, "at last\n");
  EXPECT_EQ(record.status, ExitStatus::exited(0));
}

}  // namespace
}  // namespace hostmesh
