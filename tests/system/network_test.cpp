// `hostmesh run` on several machines, and what goes wrong with one of them before or while it runs.
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>

#include "system/network_fixture.hpp"

namespace hostmesh::test {
namespace {

class NetworkRun : public NetworkTest {
 protected:
  // Runs a command on all nodes that says so and stays.
  std::unique_ptr<Running> stay() {
    auto hostmesh = std::make_unique<Running>(run_script(
        {"--extent", "hosts=" + std::to_string(network_->size())}, "echo up; exec " + sleep_marked()));
    EXPECT_TRUE(hostmesh->read_until([&] { return lines_of(hostmesh->out()).size() == network_->size(); }))
        << hostmesh->err();
    return hostmesh;
  }
  // Runs `true` on all, which is to fail; what was said.
  std::string failure() {
    Running hostmesh(run({"--extent", "hosts=" + std::to_string(network_->size())}, {"true"}));
    EXPECT_TRUE(hostmesh.finish());
    EXPECT_NE(hostmesh.status(), 0);
    return hostmesh.err();
  }
};

// A test process may be killed at any point, and the next one must not find its machines.
TEST_F(NetworkTest, ATestThatIsKilledTakesItsMachinesWithIt) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd told(ends[0]);
  UniqueFd tell(ends[1]);
  const pid_t test = ::fork();
  if (test == 0) {
    ::setenv("TMPDIR", folder().c_str(), 1);  // its files are all that is left, and go with this test's
    try {
      start(2);
    } catch (...) {
      ::_exit(1);  // and not on, as a second run of all tests
    }
    for (const std::size_t number : {1, 2}) {
      const pid_t daemon = node(number).daemon();
      (void)!::write(tell.get(), &daemon, sizeof daemon);
    }
    for (;;) ::pause();
  }
  tell.reset();
  std::vector<UniqueFd> machines;
  for (pid_t daemon = 0; machines.size() < 2;) {
    ASSERT_EQ(::read(told.get(), &daemon, sizeof daemon), static_cast<ssize_t>(sizeof daemon));
    machines.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, daemon, 0)));
    ASSERT_TRUE(machines.back());
  }

  ::kill(test, SIGKILL);

  ASSERT_EQ(::waitpid(test, nullptr, 0), test);
  for (const UniqueFd& machine : machines) {
    pollfd waiting{.fd = machine.get(), .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&waiting, 1, 10'000), 1) << "it is still there";
  }
}

TEST_F(NetworkRun, FourMachinesSayWhoTheyAreAndKeepNothing) {
  start(4);

  Running hostmesh(run_script({"--extent", "hosts=4"}, "echo $HOSTMESH_RANK is $(hostname)"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(sorted_lines_of(hostmesh.out()), (std::vector<std::string>{"[0] 0 is node1", "[1] 1 is node2",
                                                                       "[2] 2 is node3", "[3] 3 is node4"}));
  expect_nothing_on({1, 2, 3, 4});
}

TEST_F(NetworkRun, WhenTheClientIsKilledNothingIsLeftOnAnyMachine) {
  start(4);
  const auto hostmesh = stay();
  for (const std::size_t number : {1, 2, 3, 4}) {  // a shell that has said it is up has still to become it
    EXPECT_TRUE(becomes_true([&] { return node(number).processes("sleep").size() == 1; }));
  }

  hostmesh->signal(SIGKILL);

  ASSERT_TRUE(hostmesh->finish());
  expect_nothing_on({1, 2, 3, 4});
}

// The laptop is closed: nobody tells the machines, and their connections do not end.
TEST_F(NetworkRun, WhenTheClientIsCutOffNothingIsLeftOnAnyMachine) {
  start(2);
  set_environment("HOSTMESH_OWNER_TIMEOUT", "2s");
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "3s");
  const auto hostmesh = stay();

  node(1).unplug();
  node(2).unplug();
  hostmesh->signal(SIGKILL);

  ASSERT_TRUE(hostmesh->finish());
  EXPECT_FALSE(node(1).sessions().empty()) << "its daemon has heard of nothing";
  expect_nothing_on({1, 2});
}

TEST_F(NetworkRun, NoLineIsLostOrPrintedTwiceWhenACableIsOutForTwoSeconds) {
  start(2);
  Running hostmesh(run_script({"--no-label", "--extent", "hosts=2"},
                              "for i in $(seq 400); do echo $HOSTMESH_RANK.$i; sleep 0.01; done"));
  ASSERT_TRUE(hostmesh.read_until_out("1.20\n")) << hostmesh.err();

  node(2).unplug();
  EXPECT_FALSE(hostmesh.read_until([] { return false; }, std::chrono::seconds(2)));
  EXPECT_EQ(hostmesh.out().find("1.400\n"), std::string::npos) << "it came through a cable that is out";
  node(2).plug_in();

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  std::vector<std::string> lines = lines_of(hostmesh.out());
  for (const char* rank : {"0.", "1."}) {
    std::vector<std::string> own;
    std::ranges::copy_if(lines, std::back_inserter(own),
                         [&](const auto& line) { return line.starts_with(rank); });
    ASSERT_EQ(own.size(), 400U);
    for (std::size_t i = 0; i < own.size(); ++i) EXPECT_EQ(own[i], rank + std::to_string(i + 1));
  }
}

TEST_F(NetworkRun, AMachineThatFallsSilentIsAHostWatchdogInTheEventsAndTheReport) {
  start(3);
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "4s");
  set_environment("HOSTMESH_OWNER_TIMEOUT", "4s");
  Running hostmesh(run_script({"--json", "--extent", "hosts=3"}, "echo up; exec " + sleep_marked()));
  const auto ups = [&] {
    return std::ranges::count_if(lines_of(hostmesh.out()), [](const std::string& line) {
      return line.find("\"up") != std::string::npos;
    });
  };
  ASSERT_TRUE(hostmesh.read_until([&] { return ups() == 3; })) << hostmesh.out() << hostmesh.err();

  node(2).unplug();

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_TRUE(says(hostmesh.out(), "\"kind\":\"host_watchdog\""));
  EXPECT_TRUE(says(hostmesh.err(), "its host, rank 1 at node2"));
  EXPECT_TRUE(says(hostmesh.err(), "it gave no sign of life for 4s: frozen, off or cut off"));
  expect_nothing_on({1, 2, 3});
}

TEST_F(NetworkRun, ACommandThatIsInterruptedEndsThoughAMachineIsCutOff) {
  start(3);
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "4s");
  set_environment("HOSTMESH_OWNER_TIMEOUT", "4s");
  const auto hostmesh = stay();

  node(2).unplug();
  hostmesh->signal(SIGINT);

  ASSERT_TRUE(hostmesh->finish());
  EXPECT_EQ(hostmesh->status(), 130) << hostmesh->err();
  expect_nothing_on({1, 2, 3});
}

TEST_F(NetworkRun, AMachineThatAnswersNothingIsNamedWithItsConnectTimeout) {
  start(3, "connect_timeout: 6s");
  node(2).lose(100);

  const std::string err = failure();

  EXPECT_TRUE(says(err, "host node2, phase launch: it did not answer in time"));
  EXPECT_TRUE(says(err, "timed out"));
  EXPECT_EQ(err.find("host node1"), std::string::npos) << err;
  expect_nothing_on({1, 3});
}

TEST_F(NetworkRun, AMachineThatIsFrozenBeforeTheLoginIsNamed) {
  start(2, "connect_timeout: 6s");
  node(2).freeze();

  const std::string err = failure();

  EXPECT_TRUE(says(err, "host node2, phase launch: it did not answer in time"));
  EXPECT_TRUE(says(err, "banner exchange"));
  node(2).thaw();
  expect_nothing_on({1, 2});
}

TEST_F(NetworkRun, AKeyThatIsNotLetInIsToldForEachMachine) {
  start(3, "");
  std::filesystem::remove(network_->file("key"));
  configure("ssh_options: ['IdentityFile=" + network_->file("stranger").string() + "']");

  const std::string err = failure();

  EXPECT_TRUE(says(err, "it refuses the login"));
  EXPECT_TRUE(says(err, "Permission denied (publickey"));
  expect_nothing_on({1, 2, 3});
}

TEST_F(NetworkRun, AMachineWithAnothersHostKeyIsNamed) {
  start(3);
  std::ifstream stranger(network_->file("stranger.pub"));
  std::ofstream known(network_->file("known_hosts"));
  for (const std::size_t number : {1, 3}) {
    std::ifstream own(network_->file(node(number).name() + ".key.pub"));
    known << node(number).address() << " " << own.rdbuf();
  }
  known << node(2).address() << " " << stranger.rdbuf();
  known.close();

  const std::string err = failure();

  EXPECT_TRUE(says(err, "host node2, phase launch: its host key has changed: it may be another machine"));
  expect_nothing_on({1, 2, 3});
}

TEST_F(NetworkRun, AMachineWhoseProgramIsOfAnotherVersionIsToldWhatToInstall) {
  start(2);
  // The request says of which version it is; this one lets the program over there see another.
  const auto other = std::filesystem::canonical(bin("..")) / ("other-version-" + mark());
  std::ofstream(other) << "#!/bin/bash\nexec "
                       << std::filesystem::canonical(bin("hostmesh-bootstrap")).string()
                       << " \"$@\" < <(head -c 4 >/dev/null; printf HMX9; exec cat)\n";
  std::filesystem::permissions(other, std::filesystem::perms::owner_all);
  configure("", other.string());

  const std::string err = failure();

  EXPECT_TRUE(says(err, "its hostmesh-bootstrap is of another version"));
  std::filesystem::remove(other);
  expect_nothing_on({1, 2});
}

}  // namespace
}  // namespace hostmesh::test
