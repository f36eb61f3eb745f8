// kill -9, at any time and of anybody: a second after the end there is nobody left.
#include <sys/resource.h>

#include <csignal>
#include <random>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

class Kill : public SystemTest {
 protected:
  // A command with a daemon in a session of its own that has thrown its environment away, and one that has
  // not.
  std::string with_daemons() const {
    const std::string up = "echo up; exec " + sleep_marked();
    return "(env -i /usr/bin/setsid /bin/sh -c '" + up + "' &); (setsid sh -c '" + up + "' &); " + up;
  }

  static bool all_up(const Running& hostmesh, std::size_t commands) {
    return lines_of(hostmesh.out()).size() == 3 * commands;
  }

  static void stop_and_wait(pid_t pid) {
    ::kill(pid, SIGSTOP);
    EXPECT_TRUE(becomes_true([pid] { return state_of(pid) == 'T'; }));
  }

  static void pass(Running& hostmesh, std::chrono::microseconds time) {
    hostmesh.read_until([] { return false; }, time);
  }
};

// However the hosts were started.
class KillEither : public Kill, public ::testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Started, KillEither, ::testing::Values("process", "forks"),
                         [](const auto& how) { return std::string(how.param); });

// What an out-of-memory killer or a batch system does. The keeper is left, and is enough.
TEST_P(KillEither, TheClientAndItsHostsInTheSameInstant) {
  for (int round = 0; round < 5; ++round) {
    Running hostmesh(run_script({"--allocator", GetParam(), "--extent", "hosts=3"}, with_daemons()));
    ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 3); })) << hostmesh.out() << hostmesh.err();
    std::vector<pid_t> killed = processes_named("hostmesh-bootstrap");
    killed.push_back(round % 2 == 0 ? hostmesh.pid() : client_of(hostmesh));

    for (const pid_t pid : killed) ::kill(pid, SIGKILL);

    EXPECT_TRUE(hostmesh.await_end());
    expect_nothing_left();
    ASSERT_FALSE(HasFailure());
  }
}

TEST_P(KillEither, TheClientWhoseKeeperGoesOn) {
  Running hostmesh(run_script({"--allocator", GetParam(), "--extent", "hosts=2"}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 2); })) << hostmesh.out() << hostmesh.err();

  ::kill(client_of(hostmesh), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 137) << "the keeper ends as its client did";
  expect_nothing_left();
}

TEST_F(Kill, TheKeeperOfAStoppedClient) {
  Running hostmesh(run_script({"--extent", "hosts=2"}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 2); })) << hostmesh.out() << hostmesh.err();
  stop_and_wait(client_of(hostmesh));

  hostmesh.signal(SIGKILL);

  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

// The stopped host cannot clean up, and its commands have left its group and session.
TEST_F(Kill, TheClientAndTheOtherHostOfAStoppedHost) {
  Running hostmesh(run_script({"--extent", "hosts=2"}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 2); })) << hostmesh.out() << hostmesh.err();
  const std::vector<pid_t> hosts = processes_named("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 2U);
  ::kill(hosts.front(), SIGSTOP);  // and at once, so that the stop is perhaps still under way:

  ::kill(client_of(hostmesh), SIGKILL);
  ::kill(hosts.back(), SIGKILL);

  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

// A host that is in the client has nobody above it but the keeper.
TEST_F(Kill, AClientWithHostsInsideIt) {
  Running hostmesh(run_script({"--allocator", "local", "--extent", "hosts=2"}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 2); })) << hostmesh.out() << hostmesh.err();

  ::kill(client_of(hostmesh), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  expect_nothing_left();
}

// Any process of the same user can take the descriptors of a host by connecting to it again and again. Its
// owner's death is no less the end of all below it.
TEST_F(Kill, TheClientOfAHostWithoutDescriptors) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer itself needs descriptors";
#endif
  Running hostmesh(run_script({}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 1); })) << hostmesh.out() << hostmesh.err();
  const std::vector<pid_t> hosts = processes_named("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 1U);
  const rlimit none{.rlim_cur = 3, .rlim_max = 3};
  ASSERT_EQ(::prlimit(hosts.front(), RLIMIT_NOFILE, &none, nullptr), 0);
  // The keeper is stopped, so that the host is on its own.
  stop_and_wait(hostmesh.pid());

  ::kill(client_of(hostmesh), SIGKILL);

  EXPECT_TRUE(becomes_true([&] { return processes_named("sleep").empty(); }));
  hostmesh.signal(SIGCONT);
  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

TEST_P(KillEither, TheClientWhileItLaunches) {
  std::mt19937 random(std::random_device{}());
  for (int round = 0; round < 20; ++round) {
    Running hostmesh(run_script({"--allocator", GetParam(), "--extent", "hosts=6", "--per-host", "procs=2"},
                                with_daemons()));
    const std::chrono::microseconds moment(std::uniform_int_distribution<int>(0, 300'000)(random));
    pass(hostmesh, moment);

    hostmesh.signal(SIGKILL);

    EXPECT_TRUE(hostmesh.await_end());
    expect_nothing_left();
    ASSERT_FALSE(HasFailure()) << "killed after " << moment.count() << " us";
  }
}

TEST_P(KillEither, TheClientWhileItRuns) {
  Running hostmesh(run_script({"--allocator", GetParam(), "--extent", "hosts=2", "--per-host", "procs=2"},
                              with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 4); })) << hostmesh.out() << hostmesh.err();

  hostmesh.signal(SIGKILL);

  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

TEST_P(KillEither, TheClientWhileItStops) {
  Running hostmesh(run_script({"--allocator", GetParam(), "--extent", "hosts=2"},
                              "trap 'echo asked' TERM; " +
                                  with_daemons().substr(0, with_daemons().rfind("echo")) +
                                  "echo up; while :; do " + sleep_marked() + " & wait; done"));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 2); })) << hostmesh.out() << hostmesh.err();
  hostmesh.signal(SIGINT);
  ASSERT_TRUE(hostmesh.read_until_out("asked"));

  hostmesh.signal(SIGKILL);

  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

// A stopped host does nothing when its lifeline ends, but the kernel wakes it, whoever its client's parent
// is.
TEST_F(Kill, TheClientOfAStoppedHost) {
  Running hostmesh(run_script({"--extent", "hosts=2"}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 2); })) << hostmesh.out() << hostmesh.err();
  const std::vector<pid_t> hosts = processes_named("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 2U);
  stop_and_wait(hosts.front());

  hostmesh.signal(SIGKILL);

  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

TEST_F(Kill, AHost) {
  Running hostmesh(run_script({"--extent", "hosts=2"}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 2); })) << hostmesh.out() << hostmesh.err();
  const std::vector<pid_t> hosts = processes_named("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 2U);

  ::kill(hosts.back(), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_NE(hostmesh.err().find("killed by signal 9"), std::string::npos) << hostmesh.err();
  expect_nothing_left();
}

TEST_P(KillEither, AHostThatHasJustBeenStarted) {
  for (int round = 0; round < 5; ++round) {
    Running hostmesh(run_script({"--allocator", GetParam(), "--extent", "hosts=4"}, with_daemons()));
    // A fork server may have done its work before it was hit, and is not missed then: on to its hosts.
    EXPECT_TRUE(becomes_true([&] {
      for (const pid_t host : processes_named("hostmesh-bootstrap")) ::kill(host, SIGKILL);
      pass(hostmesh, std::chrono::milliseconds(1));
      return hostmesh.ended();
    }));

    ASSERT_TRUE(hostmesh.finish());
    EXPECT_NE(hostmesh.status(), 0);
    EXPECT_NE(hostmesh.err().find("rank "), std::string::npos) << hostmesh.err();
    expect_nothing_left();
  }
}

TEST_F(Kill, AHostAndThenTheClient) {
  Running hostmesh(run_script({"--keep-going", "--extent", "hosts=3"}, with_daemons()));
  ASSERT_TRUE(hostmesh.read_until([&] { return all_up(hostmesh, 3); })) << hostmesh.out() << hostmesh.err();
  const std::vector<pid_t> hosts = processes_named("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 3U);

  // The last host keeps the run going; the daemons of the first are the client's now.
  ::kill(hosts.front(), SIGKILL);
  ASSERT_TRUE(
      hostmesh.read_until([&] { return hostmesh.err().find("killed by signal 9") != std::string::npos; }));
  EXPECT_TRUE(becomes_true([&] { return processes_named("sleep").size() <= 6; }))
      << "what a dead host leaves behind is to go at once, not at the end";
  hostmesh.signal(SIGKILL);

  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

TEST_F(Kill, ACommandIsAFailureLikeAnyOther) {
  Running hostmesh(run_script({"--per-host", "procs=2"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; }));

  ASSERT_TRUE(becomes_true([&] { return processes_named("sleep").size() == 2; }));  // not shells any more
  const std::vector<pid_t> sleepers = processes_named("sleep");
  ASSERT_EQ(sleepers.size(), 2U);
  ::kill(sleepers.front(), SIGKILL);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 137);
}

// A frozen host is found out by its silence.
TEST_F(Kill, AFrozenHostIsFoundOutByItsSilence) {
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "1s");
  Running hostmesh(run_script({"--extent", "hosts=2"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; }));

  ::kill(processes_named("hostmesh-bootstrap").front(), SIGSTOP);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_NE(hostmesh.err().find("no sign of life"), std::string::npos) << hostmesh.err();
  expect_nothing_left();
}

}  // namespace
}  // namespace hostmesh::test
