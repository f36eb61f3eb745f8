// Exit statuses, and the paragraph on stderr that explains them.
#include <sys/stat.h>
#include <fstream>
#include <iterator>

#include <csignal>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

class ExitStatus : public SystemTest {
 protected:
  // The command line is refused with status 2 and these words, and nothing is started.
  void expect_usage_error(const StartOptions& options, const std::vector<std::string>& words) {
    Running hostmesh(options);
    ASSERT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 2) << hostmesh.err();
    EXPECT_EQ(hostmesh.out(), "");
    for (const std::string& word : words) {
      EXPECT_NE(hostmesh.err().find(word), std::string::npos)
          << "'" << word << "' is not in: " << hostmesh.err();
    }
  }

  void expect_words(const std::string& text, const std::vector<std::string>& words) {
    for (const std::string& word : words) {
      EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' is not in: " << text;
    }
  }
};

TEST_F(ExitStatus, IsThatOfTheCommandThatFails) {
  Running hostmesh(run_script({}, "exit 7"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 7);
  expect_words(hostmesh.err(), {"rank 0", "phase run", "exited with code 7", "(pid ", "command: sh"});
}

TEST_F(ExitStatus, IsThatOfTheFirstThatFailsAlsoWhenTheOthersGoOn) {
  // Rank 1 fails first; the others only when its file is there.
  const std::string script = "if [ $RANK = 1 ]; then touch " + (folder() / "failed").string() +
                             "; exit 5; fi; while [ ! -e " + (folder() / "failed").string() +
                             " ]; do sleep 0.05; done; sleep 1; exit 6";
  Running hostmesh(run_script({"--keep-going", "--per-host", "procs=3"}, script));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 5) << hostmesh.err();
}

TEST_F(ExitStatus, IsTheSignalPlus128) {
  Running hostmesh(run_script({}, "kill -USR1 $$"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 128 + SIGUSR1);
  expect_words(hostmesh.err(), {"rank 0", "killed by signal 10"});
}

TEST_F(ExitStatus, TheFirstFailureStopsTheOthers) {
  Running hostmesh(run_script({"--extent", "hosts=2", "--per-host", "procs=2"},
                              "[ $RANK = 2 ] && exit 9; exec " + sleep_marked()));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 9);
}

TEST_F(ExitStatus, KeepGoingLetsTheOthersFinish) {
  Running hostmesh(run_script({"--keep-going", "--per-host", "procs=3"},
                              "[ $RANK = 0 ] && exit 9; sleep 1; echo finished $RANK"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 9);
  EXPECT_EQ(sorted_lines_of(hostmesh.out()), (std::vector<std::string>{"[1] finished 1", "[2] finished 2"}));
}

TEST_F(ExitStatus, UnknownOptionIsAUsageError) {
  expect_usage_error(run({"--bananas"}, {"true"}), {"hostmesh: run has no option --bananas"});
}
TEST_F(ExitStatus, NoCommandIsAUsageError) {
  expect_usage_error(hostmesh({"run"}),
                     {"hostmesh: COMMAND is missing", "hostmesh run [OPTIONS] -- COMMAND"});
}
TEST_F(ExitStatus, NoSubcommandIsAUsageError) {
  expect_usage_error(hostmesh({}), {"hostmesh: a command is needed: run, allocators or conformance"});
  expect_usage_error(hostmesh({"rnu", "x"}), {"hostmesh: there is no command 'rnu'"});
}
// The likeliest mistake of all.
TEST_F(ExitStatus, ACommandWithoutTheDashesIsAUsageErrorThatSaysWhatToWrite) {
  expect_usage_error(hostmesh({"run", "ls"}),
                     {"hostmesh: COMMAND comes after --", "write: hostmesh run -- ls\n"});
  expect_usage_error(hostmesh({"run", "--name", "ls", "--per-host", "procs=2", "ls", "a b"}),
                     {"write: hostmesh run --name ls --per-host procs=2 -- ls 'a b'\n"});
  expect_usage_error(hostmesh({"run", "ls", "--", "true"}), {"'ls' is no option of run"});
}
TEST_F(ExitStatus, TheOptionsOfOtherLaunchersAreUsageErrorsThatNameOurs) {
  expect_usage_error(hostmesh({"run", "-n", "4", "ls"}),
                     {"hostmesh: run has no option -n", "--per-host procs=N", "--extent hosts=N"});
}
TEST_F(ExitStatus, HelpAndVersionAreNoErrors) {
  for (const auto& [arguments, word] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"run", "--help"}, "Usage: hostmesh run [OPTIONS] -- COMMAND [ARG...]"},
           {{"--help"}, "conformance"},
           {{"--version"}, "hostmesh " HOSTMESH_VERSION "\n"}}) {
    Running hostmesh(this->hostmesh(arguments));
    ASSERT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
    EXPECT_NE(hostmesh.out().find(word), std::string::npos) << hostmesh.out();
  }
}
TEST_F(ExitStatus, ACommandThatIsNotThereIsToldOnce) {
  Running one(run({}, {"no-such-program"}));
  Running four(run({"--per-host", "procs=4"}, {"no-such-program"}));
  ASSERT_TRUE(one.finish());
  ASSERT_TRUE(four.finish());

  EXPECT_EQ(one.status(), 3);
  for (const Running* hostmesh : {&one, &four}) {
    for (const std::string word : {"phase", "no-such-program", "ENOENT"}) {
      const std::size_t first = hostmesh->err().find(word);
      ASSERT_NE(first, std::string::npos) << hostmesh->err();
      EXPECT_EQ(hostmesh->err().find(word, first + 1), std::string::npos) << word << ": " << hostmesh->err();
    }
  }
  expect_words(four.err(), {"4 of 4 procs did not start", "=0..4", "from FROM to before TO"});
}
TEST_F(ExitStatus, BadExtentIsAUsageError) {
  expect_usage_error(run({"--extent", "hosts"}, {"true"}), {"hosts"});
}
TEST_F(ExitStatus, EmptyExtentIsAUsageError) {
  expect_usage_error(run({"--extent", "hosts=0"}, {"true"}), {"hosts: 0", "no ranks"});
}
TEST_F(ExitStatus, NoProcIsAUsageError) {
  expect_usage_error(run({"--per-host", "procs=0"}, {"true"}), {"--per-host", "procs=0"});
}
TEST_F(ExitStatus, OverlapOfLabelsIsAUsageError) {
  expect_usage_error(run({"--extent", "a=2", "--per-host", "a=2"}, {"true"}), {"a"});
}
TEST_F(ExitStatus, BadDurationIsAUsageError) {
  expect_usage_error(run({"--timeout", "soon"}, {"true"}), {"soon", "500ms"});
}
TEST_F(ExitStatus, BadNameIsAUsageError) {
  expect_usage_error(run({"--name", "a b"}, {"true"}), {"a b"});
}

TEST_F(ExitStatus, UnknownAllocatorNamesTheNearest) {
  expect_usage_error(run({"-a", "proces"}, {"true"}), {"proces", "process", "other"});
}

TEST_F(ExitStatus, BadYamlIsNamedWithItsPlace) {
  const auto file = write_file("bad.yaml", "default: process\nallocators:\n  process: {plugni: process}\n");
  expect_usage_error(hostmesh({"run", "-c", file.string(), "--", "true"}),
                     {"bad.yaml:3:13", "plugni", "plugin"});
}

TEST_F(ExitStatus, MissingConfigurationIsNamed) {
  expect_usage_error(hostmesh({"run", "-c", "/no/such/plugins.yaml", "--", "true"}),
                     {"/no/such/plugins.yaml", "ENOENT"});
}

TEST_F(ExitStatus, HelpIsNoError) {
  Running hostmesh(this->hostmesh({"run", "--help"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0);
  expect_words(hostmesh.out(), {"--per-host", "--keep-going", "COMMAND"});
}

TEST_F(ExitStatus, NoSuchCommandDoesNotComeUp) {
  Running hostmesh(run({"--extent", "hosts=2"}, {"/no/such/command"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  EXPECT_EQ(hostmesh.out(), "");
  expect_words(hostmesh.err(), {"rank 0", "(pid ", "phase", "/no/such/command", "ENOENT"});
  EXPECT_EQ(lines_of(hostmesh.err()).size(), 1U) << hostmesh.err();
}

TEST_F(ExitStatus, NotExecutableDoesNotComeUp) {
  const auto file = write_file("data", "#!/bin/sh\nexit 0\n");
  Running hostmesh(run({}, {file.string()}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank 0", "(pid ", file.string(), "EACCES"});
}

TEST_F(ExitStatus, GarbageIsNoProgram) {
  const auto file = write_file("garbage", std::string("\x7F"
                                                      "ELF\x02\x01\x01\0garbage",
                                                      15));
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  Running hostmesh(run({}, {file.string()}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank 0", "(pid ", file.string(), "ENOEXEC"});
}

TEST_F(ExitStatus, AProgramForAnotherMachineIsNoProgram) {
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string program((std::istreambuf_iterator<char>(self)), {});
  constexpr std::size_t kMachine = 18;                       // e_machine, of two bytes
  program.replace(kMachine, 2, std::string("\xF3\x00", 2));  // RISC-V
  const auto file = write_file("foreign", program);
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  Running hostmesh(run({}, {file.string()}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank 0", "(pid ", file.string(), "ENOEXEC"});
}

// With just enough room for our own arguments and environment there is none for what each rank's has in
// addition.
TEST_F(ExitStatus, AnEnvironmentThatIsTooLargeDoesNotComeUp) {
  constexpr std::size_t kRoom = 262144;  // a quarter of the stack
  StartOptions options = run_script({}, ": " + std::string(60'000, 'x'));
  options.argv.insert(options.argv.begin(), {"prlimit", "--stack=1048576"});
  std::string err;
  int status = 126;
  for (std::size_t fill = kRoom; err.empty() || err.find("prlimit: failed to execute") != std::string::npos ||
                                 err.find("cannot start ") != std::string::npos;
       fill -= 100) {
    options.environment["FILL_1"] = std::string(fill / 3, 'x');
    options.environment["FILL_2"] = std::string(fill / 3, 'x');
    options.environment["FILL_3"] = std::string(fill / 3, 'x');
    Running hostmesh(options);
    ASSERT_TRUE(hostmesh.finish());
    err = hostmesh.err();
    status = hostmesh.status();
    ASSERT_GT(fill, 100'000U);
  }

  EXPECT_EQ(status, 3);
  expect_words(err.substr(0, 2000), {"rank 0", "(pid ", "E2BIG", "command: sh"});
}

// How far it comes in this time is the machine's affair.
TEST_F(ExitStatus, TooLittleTimeDoesNotComeUp) {
  Running hostmesh(run({"--extent", "hosts=20", "--timeout", "1ms"}, {"true"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank ", "phase "});
}

// The others ignore the request, and are killed after the configured time.
TEST_F(ExitStatus, TheFirstFailureEndsAlsoThoseThatDoNotWantTo) {
  set_environment("HOSTMESH_KILL_TIMEOUT", "500ms");
  ASSERT_EQ(::mkfifo((folder() / "fifo").c_str(), 0600), 0);
  Running hostmesh(
      run_script({"--per-host", "procs=3"}, "[ $RANK = 1 ] && { read x < " + (folder() / "fifo").string() +
                                                "; exit 9; }; trap '' TERM INT; echo ready; while :; do " +
                                                sleep_marked() + "; done"));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; }));

  write_file("fifo", "go\n");
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 9);
}

}  // namespace
}  // namespace hostmesh::test
