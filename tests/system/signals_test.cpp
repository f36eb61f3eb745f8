// Ctrl-C and its like; what a terminal sees; readers of our output that are slow, stubborn or gone.
#include <poll.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <thread>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

class Interrupt : public SystemTest {
 protected:
  // Until it is sleep, a child of the shell drops a TERM that the shell has a trap for.
  static constexpr const char* kAwaitSleep = "until grep -q sleep /proc/$!/comm; do :; done; ";
  // TERM makes it say so and exit with 0.
  static std::string orderly() {
    return std::string("trap 'echo got TERM; kill $!; exit 0' TERM; sleep 3600 & ") + kAwaitSleep +
           "echo ready; wait";
  }
  std::string stubborn() const {
    return "trap '' TERM INT; echo ready; while :; do " + sleep_marked() + "; done";
  }

  // TERM makes it save its work, which lasts until it is told to be done with that.
  std::string saving() const {
    return "trap 'echo saving; read x < " + fifo() + "; echo saved; kill $!; exit 0' TERM; sleep 3600 & " +
           kAwaitSleep + "echo ready; wait";
  }
  std::string fifo() const { return (folder() / "fifo").string(); }
  void make_fifo() const { ASSERT_EQ(::mkfifo(fifo().c_str(), 0600), 0); }

  // With this the configured times are short.
  void make_kills_quick() {
    set_environment("HOSTMESH_KILL_TIMEOUT", "500ms");
    set_environment("HOSTMESH_MESH_TERMINATE_TIMEOUT", "500ms");
  }
  // With this they are so long that waiting for them is a hang.
  void make_kills_slow() {
    set_environment("HOSTMESH_KILL_TIMEOUT", "10m");
    set_environment("HOSTMESH_MESH_TERMINATE_TIMEOUT", "10m");
    set_environment("HOSTMESH_PROCESS_EXIT_TIMEOUT", "10m");
    set_environment("HOSTMESH_MESH_PROC_STOP_MAX_IDLE", "10m");
  }
};

// Whether a signal waits to be taken by a process.
bool is_pending(pid_t pid, int number) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("ShdPnd:")) continue;
    return (std::strtoull(line.c_str() + 7, nullptr, 16) >> (number - 1) & 1) != 0;
  }
  return false;
}

TEST_F(Interrupt, OnceIsOrderly) {
  Running hostmesh(run_script({}, orderly()));
  ASSERT_TRUE(hostmesh.read_until_out("ready"));

  hostmesh.signal(SIGINT);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 130);
  EXPECT_EQ(hostmesh.out(), "[0] ready\n[0] got TERM\n");
}

TEST_F(Interrupt, TermAndHangupAreOrderlyToo) {
  for (const int number : {SIGTERM, SIGHUP}) {
    Running hostmesh(run_script({}, orderly()));
    ASSERT_TRUE(hostmesh.read_until_out("ready"));

    hostmesh.signal(number);
    ASSERT_TRUE(hostmesh.finish());

    EXPECT_EQ(hostmesh.status(), 128 + number);
    EXPECT_EQ(hostmesh.out(), "[0] ready\n[0] got TERM\n");
  }
}

TEST_F(Interrupt, WhateverElseWouldEndAProgramIsOrderlyToo) {
  for (const int number :
       {SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ, SIGPOLL, SIGPWR, SIGSTKFLT}) {
    Running hostmesh(run_script({}, orderly()));
    ASSERT_TRUE(hostmesh.read_until_out("ready"));

    hostmesh.signal(number);
    ASSERT_TRUE(hostmesh.finish()) << number;

    EXPECT_EQ(hostmesh.status(), 128 + number);
    EXPECT_EQ(hostmesh.out(), "[0] ready\n[0] got TERM\n") << number;
  }
}

TEST_F(Interrupt, OtherSignalsAreHandedToTheCommands) {
  const std::vector<int> numbers{SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGURG, SIGRTMIN, SIGRTMAX};
  std::string traps;
  for (const int number : numbers) {
    const std::string text = std::to_string(number);
    traps += "trap 'echo got " + text + "' " + text + "; ";
  }
  Running hostmesh(run_script({"--extent", "hosts=2", "--per-host", "procs=2", "--no-label"},
                              traps + "echo ready; while :; do " + sleep_marked() + " & wait; done"));
  const auto all_say = [&](const std::string& word) {
    return hostmesh.read_until([&] { return std::ranges::count(lines_of(hostmesh.out()), word) == 4; });
  };
  ASSERT_TRUE(all_say("ready"));

  for (const int number : numbers) {
    hostmesh.signal(number);
    EXPECT_TRUE(all_say("got " + std::to_string(number))) << number << ": " << hostmesh.out();
  }
  EXPECT_FALSE(hostmesh.ended());
  hostmesh.signal(SIGTERM);
  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 143);
}

TEST_F(Interrupt, WhatTheCallerIgnoresIsIgnored) {
  make_fifo();
  StartOptions options = run_script({}, "echo ready; read x < " + fifo() + "; echo finished");
  options.argv.insert(options.argv.begin(), {"sh", "-c", "trap '' HUP QUIT USR1; exec \"$@\"", "sh"});
  Running hostmesh(options);
  ASSERT_TRUE(hostmesh.read_until_out("ready"));

  for (const int number : {SIGHUP, SIGQUIT, SIGUSR1}) hostmesh.signal(number);
  write_file("fifo", "go\n");
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0);
  EXPECT_EQ(hostmesh.out(), "[0] ready\n[0] finished\n");
}

TEST_F(Interrupt, OnceKillsInTheEndWhoeverIgnoresIt) {
  make_kills_quick();
  Running hostmesh(run_script({"--per-host", "procs=2"}, stubborn()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; }));

  hostmesh.signal(SIGINT);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 130);
}

TEST_F(Interrupt, TwiceAtOnceIsOnce) {
  make_fifo();
  make_kills_slow();
  Running hostmesh(run_script({}, saving()));
  ASSERT_TRUE(hostmesh.read_until_out("ready"));

  // It wakes up to find two. Of two equal ones the kernel would keep one.
  hostmesh.signal(SIGSTOP);
  hostmesh.signal(SIGINT);
  hostmesh.signal(SIGTERM);
  hostmesh.signal(SIGCONT);
  ASSERT_TRUE(hostmesh.read_until_out("saving"));
  write_file("fifo", "go\n");
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_TRUE(hostmesh.status() == 130 || hostmesh.status() == 143) << hostmesh.status();
  EXPECT_EQ(hostmesh.out(), "[0] ready\n[0] saving\n[0] saved\n");
}

// It signals its child and then the group that both are in.
TEST_F(Interrupt, UnderTimeoutCommandsHaveTheirGrace) {
  make_fifo();
  make_kills_slow();
  StartOptions options = run_script({}, saving());
  options.argv.insert(options.argv.begin(), {"timeout", "3600"});
  Running timeout(options);
  ASSERT_TRUE(timeout.read_until_out("ready"));

  timeout.signal(SIGTERM);
  ASSERT_TRUE(timeout.read_until_out("saving"));
  write_file("fifo", "go\n");
  ASSERT_TRUE(timeout.finish());

  EXPECT_EQ(timeout.status(), 143);
  EXPECT_EQ(timeout.out(), "[0] ready\n[0] saving\n[0] saved\n");
}

TEST_F(Interrupt, AHangupNeverInsists) {
  make_fifo();
  make_kills_slow();
  Running hostmesh(run_script({}, saving()));
  ASSERT_TRUE(hostmesh.read_until_out("ready"));

  hostmesh.signal(SIGHUP);
  ASSERT_TRUE(hostmesh.read_until_out("saving"));
  // For longer than signals count as one.
  for (int i = 0; i < 8; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    hostmesh.signal(SIGHUP);
    ASSERT_TRUE(becomes_true([&] { return !is_pending(hostmesh.pid(), SIGHUP); }));
  }
  const pid_t client = client_of(hostmesh);
  ASSERT_TRUE(becomes_true([&] { return !is_pending(client, SIGHUP); }));
  write_file("fifo", "go\n");
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 129);
  EXPECT_EQ(hostmesh.out(), "[0] ready\n[0] saving\n[0] saved\n");
}

TEST_F(Interrupt, TwiceIsNow) {
  make_kills_slow();
  Running hostmesh(run_script({"--extent", "hosts=2", "--per-host", "procs=2"}, stubborn()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 4; }));

  hostmesh.insist(SIGINT, SIGTERM);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_TRUE(hostmesh.status() == 130 || hostmesh.status() == 143)
      << hostmesh.status() << ": " << hostmesh.err();
}

TEST_F(Interrupt, WhileComingUpStopsToo) {
  Running hostmesh(run_script({"--extent", "hosts=16", "-v"}, "exec " + sleep_marked()));
  ASSERT_TRUE(becomes_true([&] { return !processes_named("hostmesh-bootstrap").empty(); }));

  hostmesh.signal(SIGINT);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 130) << hostmesh.err();
}

// Nobody takes the output of those that run already; they are held back, and go all the same.
TEST_F(Interrupt, WhileCommandsThatFloodAreBeingStartedStopsToo) {
  make_kills_slow();
  Running hostmesh(run({"--per-host", "procs=1000"}, {"yes", mark()}));
  ASSERT_TRUE(becomes_true([&] { return processes_named("yes").size() > 30; }));

  hostmesh.signal(SIGINT);
  hostmesh.close_out();
  ASSERT_TRUE(hostmesh.finish()) << hostmesh.err();

  EXPECT_EQ(hostmesh.status(), 130) << hostmesh.err();
}

TEST_F(Interrupt, WorksWhileNobodyReadsOurOutput) {
  Running hostmesh(run_script({}, "echo ready; exec yes"));
  EXPECT_EQ(hostmesh.read_out(10), "[0] ready\n");

  hostmesh.signal(SIGINT);
  const bool ended = hostmesh.await_end();

  EXPECT_TRUE(ended) << "it waits for its reader";
  EXPECT_EQ(hostmesh.status(), 130);
}

TEST_F(Interrupt, WorksWhileNobodyReadsAnythingOfOurs) {
  Running hostmesh(run_script({"--per-host", "procs=2"}, "yes & yes >&2 & wait"));
  // Either may come first, and then hold up the other.
  ASSERT_TRUE(hostmesh.read_until([&] { return !hostmesh.out().empty() || !hostmesh.err().empty(); }));

  hostmesh.signal(SIGINT);
  const bool ended = hostmesh.await_end();

  EXPECT_TRUE(ended) << "it waits for its reader";
  EXPECT_EQ(hostmesh.status(), 130);
}

TEST_F(Interrupt, TheProgressLineIsForTerminalsOnly) {
  // Enough of them to be seen coming.
  StartOptions options = run({"--extent", "hosts=48"}, {"true"});
  options.stderr_use = StartOptions::Stderr::kTerminal;
  options.environment["TERM"] = "xterm";
  Running on_terminal(options);
  Running on_pipe(run({"--extent", "hosts=4"}, {"true"}));

  ASSERT_TRUE(on_terminal.finish());
  ASSERT_TRUE(on_pipe.finish());

  EXPECT_NE(on_terminal.err().find("/48 hosts up"), std::string::npos) << on_terminal.err();
  EXPECT_TRUE(on_terminal.err().ends_with("\r\033[K")) << "the line is not taken away";
  EXPECT_EQ(on_terminal.err().find('\n'), std::string::npos);
  EXPECT_EQ(on_pipe.err(), "");
}

TEST_F(Interrupt, ATerminalThatCannotTakeALineBackGetsNoProgressLine) {
  for (const char* terminal : {"dumb", ""}) {
    StartOptions options = run({"--extent", "hosts=48"}, {"true"});
    options.stderr_use = StartOptions::Stderr::kTerminal;
    options.environment["TERM"] = terminal;
    Running hostmesh(options);

    ASSERT_TRUE(hostmesh.finish());

    EXPECT_EQ(hostmesh.err(), "");
  }
}

using Reader = SystemTest;

TEST_F(Reader, ThatIsSlowGetsEverything) {
  constexpr std::size_t kBytes = 8 << 20;
  Running hostmesh(run_script({"--no-label"}, "head -c 8388608 /dev/zero | tr '\\0' '\\n'"));

  // Small pieces, and a good while without any.
  std::size_t got = 0;
  (void)::poll(nullptr, 0, 1000);
  while (true) {
    const std::string piece = hostmesh.read_out(10'000);
    if (piece.empty()) break;
    got += piece.size();
  }
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(got, kBytes);
  EXPECT_EQ(hostmesh.status(), 0);
}

TEST_F(Reader, ThatGoesAwayEndsIt) {
  Running hostmesh(run_script({"--extent", "hosts=2"}, "exec yes"));
  EXPECT_FALSE(hostmesh.read_out(100).empty());

  hostmesh.close_out();
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 141);
}

// One more line finds the reader gone; nothing else is written after it.
TEST_F(Reader, ThatGoesAwayEndsAlsoWhoHardlyWrites) {
  const std::string fifo = (folder() / "fifo").string();
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  Running hostmesh(run_script({}, "echo ready; read x < " + fifo + "; echo more; exec " + sleep_marked()));
  ASSERT_EQ(hostmesh.read_out(10), "[0] ready\n");

  hostmesh.close_out();
  write_file("fifo", "go\n");
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 141);
}

TEST_F(Reader, AFullDiskIsNamed) {
  StartOptions options = run_script({}, "echo something; exec " + sleep_marked());
  options.argv.insert(options.argv.begin(), {"sh", "-c", "exec \"$@\" > /dev/full", "sh"});
  Running hostmesh(options);

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_NE(hostmesh.err().find("ENOSPC"), std::string::npos) << hostmesh.err();
}

TEST_F(Reader, ALimitOnTheSizeOfFilesIsNamed) {
  StartOptions options = run_script({}, "head -c 100000 /dev/zero; exec " + sleep_marked());
  options.argv.insert(
      options.argv.begin(),
      {"sh", "-c", "exec prlimit --fsize=4096 \"$@\" > " + (folder() / "out").string(), "sh"});
  Running hostmesh(options);

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 141);
  EXPECT_NE(hostmesh.err().find("EFBIG"), std::string::npos) << hostmesh.err();
}

TEST_F(Reader, ThatNeverWasIsNoHarm) {
  StartOptions options = run_script({}, "echo something; touch " + (folder() / "ran").string());
  options.argv.insert(options.argv.begin(), {"sh", "-c", "exec \"$@\" <&- >&- 2>&-", "sh"});
  Running hostmesh(options);

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0);
  EXPECT_TRUE(std::filesystem::exists(folder() / "ran"));
}

// An ssh client that never comes further than the login, as where a profile hangs or a firewall drops.
class HangingLogin : public SystemTest {
 protected:
  Running start_run(std::vector<std::string> options) {
    const auto client = write_file("ssh", "#!/bin/sh\nexec " + sleep_marked() + "\n");
    std::filesystem::permissions(client, std::filesystem::perms::owner_all);
    write_file("plugins.yaml", "plugin_path: [" +
                                   (bin("..") / "lib/hostmesh/plugins").lexically_normal().string() +
                                   "]\nallocators:\n  far: {plugin: ssh, options: {hosts: ['n[1-2]'], ssh: " +
                                   client.string() + "}}\n");
    set_environment("HOSTMESH_LAUNCH_TIMEOUT", "10m");
    options.insert(options.begin(), {"-a", "far", "--extent", "hosts=2"});
    return Running(run_script(std::move(options), "true"));
  }
};

TEST_F(HangingLogin, IsEndedByAnInterruptAtOnce) {
  Running hostmesh = start_run({});
  ASSERT_TRUE(becomes_true([&] { return processes_named("sleep").size() == 2; }));

  hostmesh.signal(SIGINT);

  ASSERT_TRUE(hostmesh.finish(std::chrono::seconds(20))) << "it waits for the launch";
  EXPECT_EQ(hostmesh.status(), 130);
  expect_nothing_left();
}

TEST_F(HangingLogin, IsEndedWhenTheTimeIsOver) {
  Running hostmesh = start_run({"--timeout", "1s"});

  ASSERT_TRUE(hostmesh.finish(std::chrono::seconds(20))) << "it waits for the launch";
  EXPECT_EQ(hostmesh.status(), 3);
  EXPECT_NE(hostmesh.err().find("2 of 2 hosts were not ready within 1s"), std::string::npos)
      << hostmesh.err();
  expect_nothing_left();
}

// A reader that pauses is not one that has gone: what commands say when they are told to end arrives.
TEST_F(Interrupt, WhatCommandsSayAtTheirEndReachesASlowReader) {
  constexpr int kLines = 20'000;
  for (const std::string format : {"", "--json"}) {
    std::vector<std::string> options{"--no-label"};
    if (!format.empty()) options = {format};
    Running hostmesh(run_script(options, "trap 'seq " + std::to_string(kLines) +
                                             "; exit 0' TERM; echo ready; while :; do sleep 0.05; done"));
    ASSERT_TRUE(hostmesh.read_until_out("ready"));
    hostmesh.signal(SIGTERM);
    std::string all = hostmesh.out();
    for (int piece = 0;; ++piece) {
      const std::string some = hostmesh.read_out(64 << 10);
      if (some.empty()) break;
      all += some;
      if (piece % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    ASSERT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 143);
    const std::vector<std::string> lines = lines_of(all);
    if (format.empty()) {
      EXPECT_EQ(lines.size(), kLines + 1U);
    } else {
      EXPECT_TRUE(std::ranges::all_of(lines, [](const std::string& line) {
        return line.starts_with("{\"event\":") && line.ends_with("}");
      }));
      EXPECT_GT(lines.size(), kLines + 1U);
      EXPECT_TRUE(lines.back().starts_with("{\"event\":\"end\"")) << lines.back();
    }
    EXPECT_EQ(hostmesh.err().find("output is lost"), std::string::npos) << hostmesh.err();
  }
}

// The shell dies at once; the program below it needs a moment, and nobody holds a pipe.
TEST_F(Interrupt, WhoeverIsToldToEndHasItsGraceAlsoBehindAShell) {
  const std::string saves = "trap 'sleep 0.5; echo saved >" + (folder() / "saved").string() +
                            "; exit 0' TERM; echo up >" + (folder() / "up").string() +
                            "; while :; do sleep 0.05; done";
  write_file("saves", saves);
  Running hostmesh(
      run_script({}, "sh " + (folder() / "saves").string() + " </dev/null >/dev/null 2>&1; true"));
  ASSERT_TRUE(becomes_true([&] { return std::filesystem::exists(folder() / "up"); }));
  hostmesh.signal(SIGTERM);
  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 143);
  EXPECT_TRUE(std::filesystem::exists(folder() / "saved"));
}

TEST_F(Interrupt, WhoeverStaysBehindAShellIsKilledWhenItsGraceIsOverAndNamed) {
  set_environment("HOSTMESH_KILL_TIMEOUT", "300ms");
  write_file("stays", "trap '' TERM; echo up >" + (folder() / "up").string() + "; while :; do sleep 1; done");
  Running hostmesh(
      run_script({}, "sh " + (folder() / "stays").string() + " </dev/null >/dev/null 2>&1; true"));
  ASSERT_TRUE(becomes_true([&] { return std::filesystem::exists(folder() / "up"); }));
  hostmesh.signal(SIGTERM);
  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 143);
  EXPECT_NE(hostmesh.err().find("that the command had left running"), std::string::npos) << hostmesh.err();
  expect_nothing_left();
}

// --- what the one above a run has to see
// --------------------------------------------------------------------------------------------

TEST_F(Interrupt, IgnoredSignalsOfChildrenAndOfWakingHideNothing) {
  for (const char* number : {"CHLD", "CONT"}) {
    StartOptions options = run_script({}, "echo done");
    options.argv.insert(options.argv.begin(), {"env", std::string("--ignore-signal=") + number});
    Running hostmesh(options);
    ASSERT_TRUE(hostmesh.finish()) << number;
    EXPECT_EQ(hostmesh.status(), 0) << number;
    EXPECT_EQ(hostmesh.out(), "[0] done\n") << number;
  }
  StartOptions options = run_script({}, "echo up; exec " + sleep_marked());
  options.argv.insert(options.argv.begin(), {"env", "--ignore-signal=CONT"});
  Running hostmesh(options);
  ASSERT_TRUE(hostmesh.read_until_out("up"));
  ASSERT_EQ(::kill(hostmesh.pid(), SIGKILL), 0);
  ASSERT_TRUE(hostmesh.finish());
  expect_nothing_left();
}

TEST_F(Interrupt, AnAlarmOfTheCallersEndsTheRun) {
  StartOptions options = run_script({}, "exec " + sleep_marked());
  options.argv.insert(
      options.argv.begin(),
      {"python3", "-c", "import os, signal, sys; signal.alarm(1); os.execv(sys.argv[1], sys.argv[1:])"});
  Running hostmesh(options);
  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 128 + SIGALRM) << hostmesh.err();
}

// As a terminal emulator does whose window is closed: only the leader of the session is told.
TEST_F(Interrupt, AClosedTerminalEndsTheRunThatLeadsItsSession) {
  StartOptions options =
      run_script({}, "echo up >" + (folder() / "up").string() + "; exec " + sleep_marked());
  options.argv.insert(options.argv.begin(), {"python3", "-c",
                                             "import os, pty, sys, time\n"
                                             "pid, master = pty.fork()\n"
                                             "if pid == 0: os.execv(sys.argv[2], sys.argv[2:])\n"
                                             "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n"
                                             "os.close(master)\n"
                                             "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n",
                                             (folder() / "up").string()});
  Running terminal(options);
  ASSERT_TRUE(terminal.finish());
  EXPECT_EQ(terminal.status(), 128 + SIGHUP) << terminal.err();
  expect_nothing_left();
}

}  // namespace
}  // namespace hostmesh::test
