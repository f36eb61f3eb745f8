// What a COMMAND sees, and what becomes of what it writes.
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

}  // namespace
}  // namespace hostmesh::test
