#include "hostmesh/process/child_process.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "fixture.hpp"
#include "hostmesh/process/adopted_reaper.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/lines.hpp"

namespace hostmesh::test {
namespace {

class Running : public ProcessTest {
 protected:
  static SpawnRequest with_stdin(SpawnRequest request) {
    request.stdin_mode = StdioMode::kPipe;
    return request;
  }
};

TEST_F(Running, OutputOfBothStreamsComesBeforeTheExit) {
  const Child& child = run(shell("echo out; echo err >&2; exit 4"));
  EXPECT_EQ(child.out, "out\n");
  EXPECT_EQ(child.err, "err\n");
  EXPECT_EQ(child.out_at_exit, "out\n");
  EXPECT_EQ(child.status, ExitStatus::exited(4));
  EXPECT_EQ(child.exits, 1);
  EXPECT_TRUE(child.process->exited());
}

TEST_F(Running, AllOfAFullPipeIsDeliveredBeforeTheExit) {
  // 60 kB fit into the pipe, so the child may end before anything is read.
  for (int i = 0; i < 20; ++i) {
    const Child& child = run(shell("head -c 60000 /dev/zero"));
    ASSERT_EQ(child.out_at_exit.size(), 60000U);
  }
}

TEST_F(Running, AMebibyteOnStdinArrivesWholeAndThenEndOfFile) {
  Bytes payload(1 << 20);
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13);
  Child& child = start(with_stdin(shell("cat")));
  child.process->write_stdin(payload);
  EXPECT_GT(child.process->stdin_backlog(), 0U);
  child.process->close_stdin();
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.process->stdin_backlog(), 0U);
  EXPECT_TRUE(std::equal(payload.begin(), payload.end(), child.out.begin(), child.out.end(),
                         [](std::uint8_t a, char b) { return a == static_cast<std::uint8_t>(b); }));
  EXPECT_EQ(child.status, ExitStatus::exited(0));
}

TEST_F(Running, AChildThatClosesItsStdinIsNoErrorAndRaisesNoSignal) {
  ::signal(SIGPIPE, SIG_DFL);
  Child& child = start(with_stdin(shell("exec <&-; echo closed; sleep 600")));
  ASSERT_TRUE(run_until([&] { return child.out == "closed\n"; }));
  child.process->write_stdin(Bytes(100000));
  child.process->write_stdin(Bytes(100000));
  EXPECT_EQ(child.process->stdin_backlog(), 0U);
  ASSERT_TRUE(child.process->signal_group(SIGTERM));
  ASSERT_TRUE(run_until([&] { return child.status.has_value(); }));
  ::signal(SIGPIPE, SIG_IGN);
}

TEST_F(Running, TheChildIsNotEndedByStdinUntilItIsClosed) {
  Child& child = start(with_stdin(shell("read line; echo \"$line\"; read line || exit 9")));
  child.process->write_stdin({'h', 'i', '\n'});
  ASSERT_TRUE(run_until([&] { return child.out == "hi\n"; }));
  EXPECT_FALSE(child.process->exited());
  child.process->close_stdin();
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.status, ExitStatus::exited(9));
}

TEST_F(Running, AFloodWithoutNewlineStaysBoundedInTheSplitter) {
  LineSplitter splitter;
  std::size_t total = 0;
  std::size_t most_held = 0;
  bool over = false;
  ChildProcess child(reactor(), *spawn(shell("head -c 10000000 /dev/zero")),
                     {.on_output =
                          [&](Stream, ByteView bytes) {
                            EXPECT_LE(bytes.size(), 64U * 1024);
                            splitter.feed(bytes, [&](const Line& line) { total += line.text.size(); });
                            most_held = std::max(most_held, splitter.pending());
                          },
                      .on_exit =
                          [&](const ExitStatus&) {
                            over = true;
                            reactor().stop();
                          }});
  ASSERT_TRUE(run_until([&] { return over; }));
  splitter.finish([&](const Line& line) { total += line.text.size(); });
  EXPECT_EQ(total, 10000000U);
  EXPECT_LE(most_held, LineSplitter::kDefaultMaxLine);
}

TEST_F(Running, AGrandchildThatHoldsThePipeDelaysTheExitNoLongerThanTheDrain) {
  // Given a grandchild in another session, which the end of the group does not reach
  Child& child =
      start(with_stdin(shell("echo before; setsid sh -c 'echo $$; exec sleep 600' & exec sleep 0.1")),
            {.drain = std::chrono::milliseconds(50)});
  ASSERT_TRUE(run_until([&] { return child.status.has_value() && child.out.size() > 8; }));
  EXPECT_EQ(child.status, ExitStatus::exited(0));
  EXPECT_FALSE(child.out_ended);
  // When it ends, so does the stream
  const pid_t grandchild = std::stoi(child.out.substr(child.out.find('\n') + 1));
  ::kill(grandchild, SIGKILL);
  ASSERT_TRUE(run_until([&] { return child.out_ended && child.err_ended; }));
  EXPECT_EQ(child.exits, 1);
}

TEST_F(Running, AGrandchildThatFloodsThePipeDoesNotDelayTheExit) {
  Child& child = start(shell("setsid sh -c 'echo $$ >&2; exec cat /dev/zero' & read x < /dev/zero; exit 0"));
  ASSERT_TRUE(run_until([&] { return child.err.ends_with("\n"); }));
  const pid_t grandchild = std::stoi(child.err);
  child.out.clear();
  ASSERT_TRUE(child.process->signal(SIGKILL));
  EXPECT_TRUE(run_until([&] {
    child.out.clear();
    return child.status.has_value();
  }));
  ::kill(grandchild, SIGKILL);
  EXPECT_TRUE(run_until([&] { return child.out_ended; }));
}

// As `exec > >(tee log)` in a script does, whose last lines say why it failed.
TEST_F(Running, WhatABackgroundWriterWritesAfterTheEndOfItsLeaderIsDelivered) {
  const Child& child = run(shell("(sleep 0.2; echo last) & echo first; exit 3"));
  EXPECT_EQ(child.out, "first\nlast\n");
  EXPECT_EQ(child.status, ExitStatus::exited(3));
}

TEST_F(Running, TheExitComesAfterTheOutputOfBackgroundWriters) {
  const Child& child = run(shell("(sleep 0.2; echo last) & exit 0"));
  EXPECT_EQ(child.out_at_exit, "last\n");
}

TEST_F(Running, AKillEndsTheWaitForBackgroundWriters) {
  Child& child = start(shell("setsid sh -c 'echo $$; exec sleep 600' & read x < /dev/zero; exit 0"),
                       {.drain = std::chrono::hours(1)});
  ASSERT_TRUE(run_until([&] { return child.out.ends_with("\n"); }));
  const pid_t grandchild = std::stoi(child.out);
  // When it is killed alive
  ASSERT_TRUE(child.process->signal_group(SIGKILL));
  EXPECT_TRUE(run_until([&] { return child.status.has_value(); }));
  ::kill(grandchild, SIGKILL);
  // And when it is while it drains
  Child& drains =
      start(shell("setsid sh -c 'echo $$; exec sleep 600' & exit 0"), {.drain = std::chrono::hours(1)});
  ASSERT_TRUE(run_until([&] { return drains.out.ends_with("\n"); }));
  const pid_t other = std::stoi(drains.out);
  ASSERT_TRUE(detail::wait_dead(detail::open_pidfd(drains.process->pid()).get(), std::chrono::seconds(20)));
  EXPECT_FALSE(drains.status.has_value());
  ASSERT_TRUE(drains.process->signal_group(SIGKILL));
  EXPECT_TRUE(run_until([&] { return drains.status.has_value(); }));
  EXPECT_EQ(drains.status, ExitStatus::exited(0));
  ::kill(other, SIGKILL);
  EXPECT_TRUE(run_until([&] { return child.finished() && drains.finished(); }));
}

TEST_F(Running, AReaderThatPausesLosesNothingOfABackgroundWriter) {
  Child& child =
      start(shell("head -c 200000 /dev/zero | tr '\\0' x & exit 0"), {.drain = std::chrono::seconds(1)});
  child.process->pause_output();
  ASSERT_TRUE(detail::wait_dead(detail::open_pidfd(child.process->pid()).get(), std::chrono::seconds(20)));
  // The time during which nothing is read does not count, however long it is.
  EXPECT_FALSE(run_until([&] { return child.status.has_value(); }, std::chrono::milliseconds(1500)));
  child.process->resume_output();
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.out.size(), 200000U);
}

TEST_F(Running, TheEndNamesWhatTheChildHadLeftInItsGroup) {
  const SubreaperRole role;
  const auto registry = std::make_shared<ChildRegistry>();
  AdoptedReaper reaper(reactor(), registry);
  SpawnRequest leaves = shell("sleep 600 >/dev/null 2>&1 & exit 0");
  leaves.registry = registry;
  const Child& child = run(leaves);
  ASSERT_TRUE(child.status.has_value());
  EXPECT_EQ(child.status->left_behind, std::vector<std::string>{"sleep"});
  // One that was told to end has not left anything on purpose.
  SpawnRequest stays = shell("sleep 600 >/dev/null 2>&1 & echo up; exec sleep 600");
  stays.registry = registry;
  Child& told = start(stays);
  ASSERT_TRUE(run_until([&] { return told.out == "up\n"; }));
  ASSERT_TRUE(told.process->signal(SIGTERM));
  ASSERT_TRUE(run_until([&] { return told.finished(); }));
  EXPECT_EQ(told.status, ExitStatus::signalled(SIGTERM, false));
  // The reaper is told by a signal, which comes in its own time.
  for (int turn = 0; turn < 1000 && has_children(); ++turn) {
    (void)run_until([] { return false; }, std::chrono::milliseconds(10));
  }
}

TEST_F(Running, TheRestOfTheGroupIsKilledAtTheEndOrLeft) {
  const SpawnRequest request = shell("sleep 600 & echo $!; exit 0");
  // Killed: the pipe ends, because nobody holds it any more
  Child& killed = start(request, {.drain = std::chrono::milliseconds(50)});
  ASSERT_TRUE(run_until([&] { return killed.finished(); }));
  EXPECT_EQ(killed.status, ExitStatus::exited(0));
  // Left: the other one lives
  Child& left = start(request, {.group = GroupAtExit::kLeave});
  ASSERT_TRUE(run_until([&] { return left.status.has_value(); }));
  const pid_t survivor = std::stoi(left.out);
  EXPECT_FALSE(is_dead(survivor));
  ::kill(survivor, SIGKILL);
  EXPECT_TRUE(run_until([&] { return left.finished(); }));
}

TEST_F(Running, SignalsReachTheChildAloneOrTheGroup) {
  const std::string script =
      "trap 'echo parent' USR1; sh -c \"trap 'echo child; exit' USR1; echo up; while :; do "
      "sleep 600 & wait; done\" & while :; do wait $!; [ $? -gt 128 ] || break; done; exit 5";
  Child& child = start(shell(script));
  ASSERT_TRUE(run_until([&] { return child.out == "up\n"; }));
  ASSERT_TRUE(child.process->signal(SIGUSR1));
  ASSERT_TRUE(run_until([&] { return child.out == "up\nparent\n"; }));
  ASSERT_TRUE(child.process->signal_group(SIGTERM));
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.status, ExitStatus::signalled(SIGTERM, false));
}

TEST_F(Running, SignallingAChildThatIsGoneIsSuccessAndReachesNobody) {
  Child& child = run(shell("exit 0"));
  EXPECT_TRUE(child.process->signal(SIGKILL));
  EXPECT_TRUE(child.process->signal_group(SIGKILL));
}

TEST_F(Running, ASignalThatDoesNotExistIsAnError) {
  Child& child = start(helper({"linger"}));
  EXPECT_FALSE(child.process->signal(1000));
}

TEST_F(Running, PausedOutputHoldsBackTheExitUntilResumed) {
  Child& child = start(shell("echo text; exit 6"));
  child.process->pause_output();
  // When the child is reaped while paused
  bool looked = false;
  std::function<void()> look = [&] {
    if (child.process->exited()) {
      looked = true;
      reactor().stop();
    } else {
      reactor().post(look);
    }
  };
  reactor().post(look);
  ASSERT_TRUE(run_until([&] { return looked; }));
  EXPECT_EQ(child.out, "");
  EXPECT_FALSE(child.status);
  child.process->resume_output();
  EXPECT_FALSE(child.status) << "an event came from inside a call";
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.out_at_exit, "text\n");
  EXPECT_EQ(child.status, ExitStatus::exited(6));
}

TEST_F(Running, PausedOutputStopsTheChildAtAFullPipe) {
  Child& child = start(shell("head -c 1000000 /dev/zero; exit 0"));
  ASSERT_TRUE(run_until([&] {
    if (!child.out.empty()) child.process->pause_output();
    return !child.out.empty();
  }));
  EXPECT_LT(child.out.size(), 500000U);
  child.process->resume_output();
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.out_at_exit.size(), 1000000U);
}

TEST_F(Running, PausingInsideAnEventHoldsTheRest) {
  Child child;
  int chunks = 0;
  ChildProcess::Events events = record_in(child);
  ChildProcess process(reactor(), *spawn(shell("head -c 300000 /dev/zero")),
                       {.on_output =
                            [&](Stream stream, ByteView bytes) {
                              ++chunks;
                              process.pause_output();
                              reactor().post([&] { process.resume_output(); });
                              events.on_output(stream, bytes);
                            },
                        .on_output_end = events.on_output_end,
                        .on_exit = events.on_exit});
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.out_at_exit.size(), 300000U);
  EXPECT_GE(chunks, 5);
}

TEST_F(Running, AnEventMayDestroyItsChild) {
  for (const char* which : {"output", "end", "exit"}) {
    auto child = std::make_unique<std::unique_ptr<ChildProcess>>();
    bool over = false;
    const auto destroy = [&, kept = std::string("captured and used after the destruction")](const char* at) {
      if (std::string(which) != at || !*child) return;
      child->reset();
      EXPECT_EQ(kept.size(), 39U);
      over = true;
      reactor().stop();
    };
    *child = std::make_unique<ChildProcess>(
        reactor(), *spawn(shell("echo one; echo two >&2; exit 0")),
        ChildProcess::Events{.on_output = [destroy](Stream, ByteView) { destroy("output"); },
                             .on_output_end = [destroy](Stream) { destroy("end"); },
                             .on_exit = [destroy](const ExitStatus&) { destroy("exit"); }});
    EXPECT_TRUE(run_until([&] { return over; })) << which;
  }
}

TEST_F(Running, ALiveChildThatIsDroppedIsKilledWithItsGroupAndReaped) {
  auto registry = std::make_shared<ChildRegistry>();
  SpawnRequest request = shell("sleep 600 & echo $!; wait");
  request.registry = registry;
  Child& child = start(request);
  ASSERT_TRUE(run_until([&] { return child.out.ends_with("\n"); }));
  const pid_t leader = child.process->pid();
  EXPECT_TRUE(registry->owns(leader));
  child.process.reset();
  // Nothing but the reactor takes it away.
  std::function<void()> look = [&] {
    if (!registry->owns(leader)) return reactor().stop();
    reactor().post(look);
  };
  reactor().post(look);
  ASSERT_TRUE(run_until([&] { return !registry->owns(leader); }));
  EXPECT_NE(::kill(leader, 0), 0);
  EXPECT_FALSE(child.status);
}

TEST_F(Running, ALiveChildWhoseReactorEndsIsReapedAllTheSame) {
  Child& child = start(helper({"linger"}));
  ASSERT_TRUE(run_until([&] { return !child.out.empty(); }));
  // The fixture drops both, and checks.
}

TEST_F(Running, AChildThatOtherCodeReapedEndsWithAnUnknownStatus) {
  Child& child = start(shell("exit 3"));
  siginfo_t info{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child.process->pid()), &info, WEXITED), 0);
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.status->kind, ExitStatus::Kind::kUnknown);
}

TEST_F(Running, ManyChildrenThatEndAtOnceAllReportOnce) {
  for (int round = 0; round < 20; ++round) {
    // Given 64 children that wait for one pipe to close
    int gate[2];
    ASSERT_EQ(::pipe2(gate, O_CLOEXEC), 0);
    std::vector<Child*> children;
    for (int i = 0; i < 64; ++i) {
      SpawnRequest request = shell("read x <&5; exit " + std::to_string(i));
      request.passed = {{gate[0], 5}};
      children.push_back(&start(request));
    }
    ::close(gate[0]);
    ::close(gate[1]);
    ASSERT_TRUE(run_until([&] {
      return std::all_of(children.begin(), children.end(),
                         [](const Child* child) { return child->finished(); });
    })) << "round "
        << round;
    for (int i = 0; i < 64; ++i) {
      const Child& child = *children[static_cast<std::size_t>(i)];
      EXPECT_EQ(child.status, ExitStatus::exited(i));
      EXPECT_EQ(child.exits, 1);
    }
  }
}

}  // namespace
}  // namespace hostmesh::test
