// What a COMMAND sees, and what becomes of what it writes.
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

using RunCommand = SystemTest;

TEST_F(RunCommand, RunsOnEveryRankAndLabelsEachLine) {
  Running hostmesh(run_script({"--extent", "hosts=2", "--per-host", "procs=2"}, "echo rank $RANK"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(hostmesh.err(), "");
  EXPECT_EQ(sorted_lines_of(hostmesh.out()),
            (std::vector<std::string>{"[0] rank 0", "[1] rank 1", "[2] rank 2", "[3] rank 3"}));
}

TEST_F(RunCommand, RanksAreRowMajorOverHostsAndThenProcs) {
  const std::string script =
      "echo $HOSTMESH_RANK $HOSTMESH_WORLD_SIZE $HOSTMESH_HOST_RANK $HOSTMESH_LOCAL_RANK "
      "$HOSTMESH_LOCAL_WORLD_SIZE "
      "$HOSTMESH_POINT $RANK $WORLD_SIZE $LOCAL_RANK";
  Running hostmesh(run_script({"--no-label", "--extent", "hosts=2", "--per-host", "procs=2"}, script));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(sorted_lines_of(hostmesh.out()),
            (std::vector<std::string>{
                "0 4 0 0 2 hosts=0/2,procs=0/2 0 4 0", "1 4 0 1 2 hosts=0/2,procs=1/2 1 4 1",
                "2 4 1 0 2 hosts=1/2,procs=0/2 2 4 0", "3 4 1 1 2 hosts=1/2,procs=1/2 3 4 1"}));
}

TEST_F(RunCommand, SeesTheNameOfItsMeshAndNothingOfTheBootstrap) {
  Running hostmesh(run_script({"--no-label", "--name", "train", "--extent", "hosts=2"},
                              "echo $HOSTMESH_MESH; env | grep -c ^HOSTMESH_BOOTSTRAP_ || true"));

  ASSERT_TRUE(hostmesh.finish());

  const auto lines = sorted_lines_of(hostmesh.out());
  ASSERT_EQ(lines.size(), 4U) << hostmesh.out();
  EXPECT_EQ(lines[0], "0");
  EXPECT_EQ(lines[1], "0");
  EXPECT_TRUE(lines[2].starts_with("train")) << lines[2];
  EXPECT_EQ(lines[2], lines[3]);
}

TEST_F(RunCommand, HasTheCallersWorkingDirectoryAndEnvironment) {
  set_environment("GREETING", "good morning");
  StartOptions options = run_script({"--no-label"}, "pwd; echo \"$GREETING\"");
  options.working_directory = folder().string();
  Running hostmesh(options);

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), std::filesystem::canonical(folder()).string() + "\ngood morning\n");
}

TEST_F(RunCommand, AFolderThatCannotBeEnteredByItsNameIsStillTheCommands) {
  if (::geteuid() != 0) GTEST_SKIP() << "it takes another user";
  // As after sudo -u somebody in /root: in the folder, without the right to search it.
  std::filesystem::permissions(folder(), std::filesystem::perms(0755));
  const auto closed = folder() / "closed";
  std::filesystem::create_directory(closed);
  std::filesystem::permissions(closed, std::filesystem::perms::owner_all);
  StartOptions options = run({"--no-label"}, {"/bin/readlink", "/proc/self/cwd"});
  options.argv.insert(options.argv.begin(),
                      {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"});
  options.working_directory = closed.string();
  Running plain({.argv = {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
                          bin("hostmesh").string(), "--help"}});
  ASSERT_TRUE(plain.finish());
  if (plain.status() != 0) GTEST_SKIP() << "this build is closed to others: " << plain.err();
  Running hostmesh(options);

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(hostmesh.out(), std::filesystem::canonical(closed).string() + "\n");
  EXPECT_EQ(hostmesh.err(), "");
}

// Programs that write over their environment hand down such entries.
TEST_F(RunCommand, AnInheritedEntryThatIsNoVariableIsNamedAndLeftOut) {
  for (const char* allocator : {"process", "local"}) {
    StartOptions options = run_script({"-a", allocator, "--no-label"}, "echo ran");
    options.odd_entries = {"master process", "", "=x"};
    Running hostmesh(options);

    ASSERT_TRUE(hostmesh.finish());

    EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
    EXPECT_EQ(hostmesh.out(), "ran\n");
    EXPECT_NE(hostmesh.err().find("begins=master..."), std::string::npos) << hostmesh.err();
    EXPECT_EQ(lines_of(hostmesh.err()).size(), 3U) << "each once: " << hostmesh.err();
  }
}

TEST_F(RunCommand, MayHaveOnePipeForBothStreamsInTheOrderOfItsWrites) {
  const std::string script = "for i in 1 3 5 7 9; do echo $i; echo $((i+1)) >&2; done";
  for (const char* allocator : {"process", "local"}) {
    Running hostmesh(run_script({"-a", allocator, "--no-label", "--merge-output"}, script));

    ASSERT_TRUE(hostmesh.finish());

    EXPECT_EQ(hostmesh.out(), "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    EXPECT_EQ(hostmesh.err(), "");
  }
}

// A copy of setpriv that belongs to root makes it root, as sudo would.
TEST_F(RunCommand, ThatBecomesAnotherUsersAndCannotBeEndedIsToldOfAtOnce) {
  if (::geteuid() != 0) GTEST_SKIP() << "it takes another user";
  set_environment("HOSTMESH_KILL_TIMEOUT", "10m");
  set_environment("HOSTMESH_MESH_PROC_STOP_MAX_IDLE", "10m");
  std::filesystem::permissions(folder(), std::filesystem::perms(0755));
  const auto become_root = folder() / "become_root";
  std::error_code failure;
  std::filesystem::copy_file("/usr/bin/setpriv", become_root, failure);
  ASSERT_FALSE(failure) << failure.message();
  ASSERT_EQ(::chmod(become_root.c_str(), 04755), 0);
  const std::string mine = "3600." + mark();
  StartOptions options =
      run_script({}, "echo ready; exec " + become_root.string() + " --reuid 0 sleep " + mine);
  options.argv.insert(options.argv.begin(),
                      {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"});
  Running hostmesh(options);
  if (!hostmesh.read_until_out("ready")) GTEST_SKIP() << "this build is closed to others: " << hostmesh.err();
  ASSERT_TRUE(becomes_true([&] { return processes_named("sleep").size() == 1; }));
  const pid_t sleeper = processes_named("sleep").front();
  if (status_number(sleeper, "Uid") != 0) GTEST_SKIP() << "set-user-ID programs are not allowed there";

  hostmesh.signal(SIGTERM);
  const bool is_told = hostmesh.read_until([&] { return hostmesh.err().find("EPERM") != std::string::npos; });
  EXPECT_FALSE(hostmesh.ended());
  ::kill(sleeper, SIGKILL);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_TRUE(is_told) << hostmesh.err();
  EXPECT_NE(hostmesh.err().find("host_rank=0"), std::string::npos) << hostmesh.err();
  EXPECT_EQ(hostmesh.status(), 143);
}

// Waits for a word of the test's after each piece, each time on a pipe of its own: who opens one before its
// last writer has closed it reads that one's end.
class Partial : public SystemTest {
 protected:
  Partial() {
    for (const char* name : {"first", "second"}) EXPECT_EQ(::mkfifo((folder() / name).c_str(), 0600), 0);
  }
  std::string await(const std::string& name) const {
    return "; read word < " + (folder() / name).string() + "; ";
  }
  void go_on(const std::string& name) const { write_file(name, "go\n"); }
};

TEST_F(Partial, APromptIsSeenBeforeItIsAnswered) {
  Running hostmesh(run_script({}, "printf 'Continue? [y/n] '" + await("first") + "echo $word"));

  ASSERT_TRUE(hostmesh.read_until_out("[0] Continue? [y/n] "));
  go_on("first");
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), "[0] Continue? [y/n] go\n");
}

TEST_F(Partial, AProgressBarMovesAndKeepsItsLabel) {
  Running hostmesh(
      run_script({}, "printf '\\r  0%%'" + await("first") + "printf '\\r 50%%'" + await("second")));

  ASSERT_TRUE(hostmesh.read_until_out("\r[0]   0%"));
  go_on("first");
  ASSERT_TRUE(hostmesh.read_until_out("\r[0]  50%"));
  go_on("second");
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), "\r[0]   0%\r[0]  50%\n");
}

TEST_F(Partial, OtherRanksAreHeardMeanwhile) {
  Running hostmesh(run_script({"--per-host", "procs=2"}, "printf half" + await("first") + "echo whole"));

  ASSERT_TRUE(hostmesh.read_until([&] {
    return hostmesh.out().find("[0] half") != std::string::npos &&
           hostmesh.out().find("[1] half") != std::string::npos;
  }));
  go_on("first");  // for both: the other one finds the end of the pipe
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out().find("half["), std::string::npos) << hostmesh.out();
  EXPECT_TRUE(hostmesh.out().ends_with("whole\n")) << hostmesh.out();
}

TEST_F(RunCommand, ItsStdoutGoesToStdoutAndItsStderrToStderr) {
  Running hostmesh(run_script({}, "echo to out; echo to err >&2"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), "[0] to out\n");
  EXPECT_EQ(hostmesh.err(), "[0] to err\n");
}

TEST_F(RunCommand, APartialLastLineIsShownAsALine) {
  Running hostmesh(run_script({}, "printf 'whole\\npartial'; printf 'partial too' >&2"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), "[0] whole\n[0] partial\n");
  EXPECT_EQ(hostmesh.err(), "[0] partial too\n");
}

TEST_F(RunCommand, MayWriteNothing) {
  Running hostmesh(run({"--extent", "hosts=2"}, {"true"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0);
  EXPECT_EQ(hostmesh.out() + hostmesh.err(), "");
}

TEST_F(RunCommand, ReadsTheEndOfItsStdinAtOnce) {
  Running hostmesh(run({}, {"wc", "-c"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), "[0] 0\n");
}

TEST_F(RunCommand, ALineOfAMegabyteStaysOneLine) {
  Running hostmesh(run_script({"--no-label"}, "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo after"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), std::string(1000000, 'x') + "\nafter\n");
}

TEST_F(RunCommand, AnyBytesPassThrough) {
  Running hostmesh(run_script({"--no-label"}, "printf 'a\\377\\000\\302b\\n\\200'"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), std::string("a\xFF\0\xC2"
                                        "b\n\x80\n",
                                        8));
}

TEST_F(RunCommand, MayCloseItsStdoutAndGoOn) {
  Running hostmesh(run_script({}, "echo first; exec >&-; echo second >&2; exit 3"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  EXPECT_EQ(hostmesh.out(), "[0] first\n");
  EXPECT_TRUE(hostmesh.err().starts_with("[0] second\n")) << hostmesh.err();
}

TEST_F(RunCommand, WhatAGrandchildHoldsOpenDoesNotDelayTheEnd) {
  Running hostmesh(run_script({}, sleep_marked() + " & echo done"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0);
  EXPECT_EQ(hostmesh.out(), "[0] done\n");
}

TEST_F(RunCommand, ADaemonThatItLeavesBehindIsGoneAtTheEnd) {
  Running hostmesh(run_script({}, "(env -i setsid " + sleep_marked() + " >/dev/null 2>&1 &) ; echo done"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.out(), "[0] done\n");
  expect_nothing_left();
}

// Words are handed on as they are, whatever the parser of our own options would make of them.
TEST_F(RunCommand, ItsArgumentsArriveAsTheyAre) {
  const std::vector<std::string> words{"",    "[a,b]", "{}", "--json",  "-v",    "--",
                                       "a b", "%%",    "[]", "x=1,y=2", "--help"};
  std::vector<std::string> command{"printf", "<%s>\n"};
  command.insert(command.end(), words.begin(), words.end());
  Running hostmesh(run({"--no-label"}, command));

  ASSERT_TRUE(hostmesh.finish());

  std::string expected;
  for (const std::string& word : words) expected += "<" + word + ">\n";
  EXPECT_EQ(hostmesh.out(), expected) << hostmesh.err();
}

// Many short lives at once: none is forgotten and none makes the others wait.
TEST_F(RunCommand, SixtyFourThatExitAtOnceAreAllHeardOf) {
  for (int round = 0; round < 50; ++round) {
    Running hostmesh(run({"--json", "--extent", "hosts=2", "--per-host", "procs=32"}, {"true"}));

    ASSERT_TRUE(hostmesh.finish()) << "round " << round << "\n" << hostmesh.out() << hostmesh.err();

    ASSERT_EQ(hostmesh.status(), 0) << "round " << round << ": " << hostmesh.err();
    std::size_t exits = 0;
    for (const std::string& line : lines_of(hostmesh.out())) {
      if (line.find("\"event\":\"exit\"") != std::string::npos) ++exits;
    }
    ASSERT_EQ(exits, 64U) << "round " << round << "\n" << hostmesh.out();
  }
}

TEST_F(RunCommand, NothingOfOursIsTakenForWhatTheCommandHasLeft) {
  for (const char* allocator : {"process", "forks", "local"}) {
    for (int i = 0; i < 8; ++i) {
      Running run(this->run({"-a", allocator}, {"true"}));
      ASSERT_TRUE(run.finish());
      EXPECT_EQ(run.err(), "") << allocator;
    }
  }
}

// --- the environment
// --------------------------------------------------------------------------------------------

TEST_F(RunCommand, ExportSaysWhichVariablesTheCommandGets) {
  set_environment("FIRST", "1");
  set_environment("SECOND", "2");
  set_environment("MY_TOKEN", "t");
  const std::string script =
      "echo $FIRST/$SECOND/$MY_TOKEN/$THIRD/$HOSTMESH_RANK/${HOME:+home}/${PATH:+path}";
  struct Row {
    std::vector<std::string> options;
    std::string line;
  };
  for (const Row& row : {Row{{}, "1/2/t//0/home/path"}, Row{{"--export", "all"}, "1/2/t//0/home/path"},
                         Row{{"--export", "none"}, "////0/home/path"},
                         Row{{"--export", "SECOND,THIRD=3"}, "/2//3/0/home/path"}}) {
    std::vector<std::string> options = row.options;
    options.emplace_back("--no-label");
    Running run(run_script(options, script));
    ASSERT_TRUE(run.finish());
    EXPECT_EQ(run.out(), row.line + "\n") << run.err();
  }
  Running wrong(run_script({"--export", "A,,B"}, "true"));
  ASSERT_TRUE(wrong.finish());
  EXPECT_EQ(wrong.status(), 2);
  EXPECT_NE(wrong.err().find("'A,,B' is not all, none or NAME,..."), std::string::npos) << wrong.err();
}

// --- what a stranger could have put there
// --------------------------------------------------------------------------------------------

TEST_F(RunCommand, APluginsFileOfAStrangerIsRefusedAndNoOtherIsTaken) {
  const std::filesystem::path file = write_file(
      "plugins.yaml", "allocators: {process: {plugin: ssh, options: {ssh: " + (folder() / "tool").string() +
                          ", hosts: [x]}}}\n");
  write_file("tool", "#!/bin/sh\ntouch " + (folder() / "ran").string() + "\n");
  std::filesystem::permissions(folder() / "tool", std::filesystem::perms::owner_all);
  if (::chown(file.c_str(), 54321, 54321) != 0) GTEST_SKIP() << "only root can give files away";
  StartOptions options = hostmesh({"run", "--", "true"});
  options.working_directory = folder().string();
  Running run(options);
  ASSERT_TRUE(run.finish());
  EXPECT_EQ(run.status(), 2);
  EXPECT_NE(run.err().find("plugins.yaml is not used: it belongs to user 54321"), std::string::npos)
      << run.err();
  EXPECT_FALSE(std::filesystem::exists(folder() / "ran"));
}

TEST_F(RunCommand, AStockChildThatOthersCanWriteToIsNotStarted) {
  const std::filesystem::path client = folder() / "libexec/hostmesh/client";
  std::filesystem::create_directories(client.parent_path());
  std::filesystem::create_directory(folder() / "bin");
  std::filesystem::copy_file(bin("../libexec/hostmesh/client"), client);
  std::filesystem::copy_file(bin("hostmesh"), folder() / "bin/hostmesh");
  write_file("bin/hostmesh-bootstrap", "#!/bin/sh\ntouch " + (folder() / "ran").string() + "\n");
  std::filesystem::permissions(folder() / "bin/hostmesh-bootstrap", std::filesystem::perms::all);
  StartOptions options = run({}, {"true"});
  options.argv.front() = (folder() / "bin/hostmesh").string();
  Running run(options);
  ASSERT_TRUE(run.finish());
  EXPECT_EQ(run.status(), 2) << run.err();
  EXPECT_NE(run.err().find("hostmesh-bootstrap is not started: it can be written to by others (mode 0777)"),
            std::string::npos)
      << run.err();
  EXPECT_FALSE(std::filesystem::exists(folder() / "ran"));
}

}  // namespace
}  // namespace hostmesh::test
