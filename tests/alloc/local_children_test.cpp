// Children that are real processes of this machine.
#include <gtest/gtest.h>

#include <csignal>

#include "alloc/children_bench.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/local_launcher.hpp"

namespace hostmesh::test {
namespace {

using Kind = StopReason::Kind;

class LocalChildren : public ChildrenTest {
 protected:
  void SetUp() override { make(); }
  void drop() override {
    children.reset();
    launch_thread_.reset();
  }
  void make(std::size_t limit = 8) {
    children.reset();
    auto made = Children::make(
        reactor(),
        [this](ChildLauncher::Events to) -> Result<std::unique_ptr<ChildLauncher>> {
          return std::make_unique<LocalLauncher>(reactor(), *launch_thread_, LocalLauncher::Options{},
                                                 std::move(to));
        },
        limit, events());
    ASSERT_TRUE(made);
    children = *std::move(made);
  }
  void add(ChildId id, std::vector<std::string> argv, ChildTiming timing = kPatient,
           RespawnPolicy respawn = {}) {
    children->add(id, {.kind = ChildKind::kPlain,
                       .request =
                           [id, argv](Incarnation incarnation) {
                             return LaunchRequest{.rank = id,
                                                  .incarnation = incarnation,
                                                  .argv = argv,
                                                  .environment = {"PATH=/usr/bin:/bin"}};
                           },
                       .timing = timing,
                       .respawn = respawn});
  }
  void shell(ChildId id, const std::string& script, ChildTiming timing = kPatient,
             RespawnPolicy respawn = {}) {
    add(id, {"/bin/sh", "-c", script}, timing, respawn);
  }
  bool ends(ChildId id) {
    return run_until([this, id] { return (*this)[id].ended(); });
  }

 private:
  std::optional<LaunchThread> launch_thread_{std::in_place};
};

TEST_F(LocalChildren, ExitCodesAndSignalsAreTheReasons) {
  shell(0, "exit 0");
  shell(1, "echo first >&2; echo last >&2; exit 3");
  shell(2, "kill -SEGV $$");
  ASSERT_TRUE(run_until([&] {
    return children->alive() == 0 && (*this)[0].ended() && (*this)[1].ended() && (*this)[2].ended();
  }));
  EXPECT_EQ((*this)[0].reasons.at(0).kind, Kind::kStopped);
  EXPECT_EQ((*this)[1].reasons.at(0).kind, Kind::kExited);
  EXPECT_EQ((*this)[1].reasons.at(0).code, 3);
  EXPECT_EQ((*this)[1].reasons.at(0).stderr_tail, (std::vector<std::string>{"first", "last"}));
  EXPECT_EQ((*this)[2].reasons.at(0).kind, Kind::kKilled);
  EXPECT_EQ((*this)[2].reasons.at(0).signal, SIGSEGV);
  for (ChildId id = 0; id < 3; ++id) {
    EXPECT_EQ((*this)[id].events, (std::vector<std::string>{"created", "running", "stopped"}));
    EXPECT_GT((*this)[id].created.at(0).pid, 0);
  }
}

TEST_F(LocalChildren, AProgramThatIsNotThereFailsAndWasNeverCreated) {
  add(0, {"/no/such/program"});
  ASSERT_TRUE(ends(0));
  EXPECT_EQ((*this)[0].events, std::vector<std::string>{"failed"});
  EXPECT_EQ((*this)[0].error.cause(), Cause::kSpawnFailed);
  EXPECT_EQ((*this)[0].error.info().os_error, ENOENT);
  EXPECT_NE((*this)[0].error.text().find("/no/such/program"), std::string::npos);
}

TEST_F(LocalChildren, SixtyFourInstantExitsAreSixtyFourWholeLives) {
  for (ChildId id = 0; id < 64; ++id) shell(id, "echo out; echo err >&2; exit " + std::to_string(id));
  ASSERT_TRUE(run_until([&] {
    for (ChildId id = 0; id < 64; ++id) {
      if (!(*this)[id].ended()) return false;
    }
    return true;
  }));
  for (ChildId id = 0; id < 64; ++id) {
    EXPECT_EQ((*this)[id].events, (std::vector<std::string>{"created", "running", "stopped"}));
    EXPECT_EQ((*this)[id].reasons.at(0).code, static_cast<int>(id));
    EXPECT_EQ((*this)[id].out, "out\n");
    EXPECT_EQ((*this)[id].output_after_end, 0);
  }
}

TEST_F(LocalChildren, ACommandIsStoppedByTerm) {
  shell(0, "echo up; exec sleep 1000");
  ASSERT_TRUE(run_until([&] { return !(*this)[0].out.empty(); }));
  children->stop(0);
  ASSERT_TRUE(ends(0));
  EXPECT_EQ((*this)[0].reasons.at(0).kind, Kind::kKilled);
  EXPECT_EQ((*this)[0].reasons.at(0).signal, SIGTERM);
}

TEST_F(LocalChildren, ACommandThatIgnoresTermGetsKill) {
  ChildTiming timing = kPatient;
  timing.kill = 100ms;
  shell(0, "trap 'echo never' TERM; echo up; while :; do sleep 1000; done", timing);
  ASSERT_TRUE(run_until([&] { return !(*this)[0].out.empty(); }));
  // Not to the shell's sleep alone: that is in its group and ends by TERM, the loop goes on.
  children->stop(0);
  ASSERT_TRUE(ends(0));
  EXPECT_EQ((*this)[0].reasons.at(0).signal, SIGKILL);
}

TEST_F(LocalChildren, AStoppedProcessIsKilledAllTheSame) {
  shell(0, "echo up; kill -STOP $$");
  ASSERT_TRUE(run_until([&] { return !(*this)[0].out.empty(); }));
  children->kill(0);
  ASSERT_TRUE(ends(0));
  EXPECT_EQ((*this)[0].reasons.at(0).signal, SIGKILL);
}

TEST_F(LocalChildren, AStopRightAfterTheLaunchEndsEveryoneExactlyOnce) {
  for (ChildId id = 0; id < 24; ++id) shell(id, "exec sleep 1000");
  for (ChildId id = 0; id < 24; ++id) children->stop(id);
  ASSERT_TRUE(run_until([&] {
    if (children->alive() > 0) return false;
    for (ChildId id = 0; id < 8; ++id) {
      if (!(*this)[id].ended()) return false;
    }
    return true;
  }));
  settle();
  for (ChildId id = 0; id < 24; ++id) {
    EXPECT_EQ((*this)[id].times("created"), (*this)[id].times("stopped")) << id;
    EXPECT_EQ((*this)[id].times("running"), 0) << id;
    EXPECT_EQ((*this)[id].times("created"), id < 8 ? 1 : 0) << "beyond the limit nothing was launched";
  }
}

TEST_F(LocalChildren, AGrandchildThatHoldsThePipesHidesNoEndAndGoesWithItsGroup) {
  UniqueFd grandchild;
  when_heard = [&](ChildId) {
    const std::string& pid = (*this)[0].out;
    if (!grandchild && pid.ends_with('\n')) grandchild = detail::open_pidfd(std::stoi(pid));
  };
  shell(0, "sleep 1000 & echo $!; read wait; exit 4");
  ASSERT_TRUE(run_until([&] { return static_cast<bool>(grandchild); }));
  children->stop(0);
  ASSERT_TRUE(ends(0));
  EXPECT_TRUE(detail::wait_dead(grandchild.get(), 20s));
}

TEST_F(LocalChildren, ACrashLoopEndsAfterItsRestarts) {
  shell(0, "exit 9", kPatient, {.max_restarts = 3, .backoff = 1ms});
  ASSERT_TRUE(ends(0));
  EXPECT_EQ((*this)[0].times("created"), 4);
  EXPECT_EQ((*this)[0].times("respawning"), 3);
  EXPECT_EQ((*this)[0].times("stopped"), 1);
}

TEST_F(LocalChildren, ChildrenThatAreDroppedTakeTheirProcessesAlong) {
  for (ChildId id = 0; id < 4; ++id) shell(id, "trap '' TERM; echo up; while :; do sleep 1000; done");
  ASSERT_TRUE(run_until([&] {
    for (ChildId id = 0; id < 4; ++id) {
      if ((*this)[id].out.empty()) return false;
    }
    return true;
  }));
  children.reset();  // the fixture sees to it that nobody is left
}

TEST_F(LocalChildren, AFloodOfOutputIsReadToItsEndAndTheTailIsItsEnd) {
  shell(0, "i=0; while [ $i -lt 20000 ]; do echo line $i >&2; i=$((i+1)); done; printf last >&2");
  ASSERT_TRUE(ends(0));
  const auto& tail = (*this)[0].reasons.at(0).stderr_tail;
  ASSERT_EQ(tail.size(), 20u);
  EXPECT_EQ(tail.back(), "last");
  EXPECT_EQ(tail[18], "line 19999");
}

}  // namespace
}  // namespace hostmesh::test
