// The allocator ssh with `connection: tcp`: ssh starts the hosts and is their lifeline, and all that is said
// goes directly, over TLS.
#include <algorithm>
#include <csignal>

#include "system/ssh_fixture.hpp"

namespace hostmesh::test {
namespace {

class SshTcp : public Ssh {
 protected:
  void start_lab(const std::string& options = "") {
    set_environment("HOSTMESH_TCP_TLS_LOOPBACK", "1");
    Ssh::start_lab("", "connection: tcp" + std::string(options.empty() ? "" : ", ") + options);
  }
};

TEST_F(SshTcp, HostsReachTheClientAndListenForEachOther) {
  start_lab();

  Running hostmesh(run_script({"--extent", "hosts=4", "--json"}, "echo here is $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(hostmesh.err(), "");
  const auto lines = lines_of(hostmesh.out());
  const auto with = [&lines](const std::string& text) {
    return std::ranges::count_if(lines,
                                 [&](const std::string& line) { return line.find(text) != line.npos; });
  };
  EXPECT_EQ(with("\"addr\":\"tcp:127.0.0.1:"), 4) << hostmesh.out();
  EXPECT_EQ(with("here is "), 4) << hostmesh.out();
}

TEST_F(SshTcp, OurProgramMayBeCopiedFirst) {
  set_environment("HOSTMESH_TCP_TLS_LOOPBACK", "1");
  Ssh::start_lab("SetEnv XDG_CACHE_HOME=" + folder().string(), "connection: tcp, push: true");

  Running hostmesh(run_script({"--extent", "hosts=2"}, "echo here is $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(hostmesh.err(), "");
}

TEST_F(SshTcp, WhenTheClientIsKilledNothingIsLeftAnywhere) {
  start_lab();
  Running hostmesh(run_script({"--extent", "hosts=4"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 4; })) << hostmesh.err();

  ::kill(hostmesh.pid(), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  expect_nothing_left();
}

// Though its connection lives.
TEST_F(SshTcp, WhenItsSshClientIsKilledAHostIsLost) {
  start_lab();
  Running hostmesh(run_script({"--extent", "hosts=4"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 4; })) << hostmesh.err();
  const auto clients = clients_to("node2");
  ASSERT_EQ(clients.size(), 1U);

  ::kill(clients.front(), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_TRUE(says(hostmesh.err(), "node2"));
  expect_nothing_left();
}

TEST_F(SshTcp, AnAddressThatAHostCannotReachIsToldBeforeItStarts) {
  start_lab();
  set_environment("HOSTMESH_TCP_ADVERTISE", "127.0.0.2");

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "host node1, phase launch: it cannot reach this machine over tcp; ssh said: "));
  EXPECT_TRUE(says(err, "its client cannot be reached at tcp:127.0.0.2:"));
  EXPECT_TRUE(says(err, "Connection refused"));
  EXPECT_TRUE(says(err, "HOSTMESH_TCP_ADVERTISE"));
}

TEST_F(SshTcp, BothEndsMayListenAtOneOfSomePorts) {
  start_lab("environment: ['HOSTMESH_TCP_BIND=:23400-23499']");
  set_environment("HOSTMESH_TCP_BIND", "127.0.0.1:23500-23599");

  Running hostmesh(run_script({"--extent", "hosts=2", "--json"}, "echo $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_TRUE(says(hostmesh.out(), "\"addr\":\"tcp:127.0.0.1:234"));
}

TEST_F(SshTcp, WhenNoPortIsFreeThatIsSaid) {
  start_lab();
  set_environment("HOSTMESH_TCP_BIND", "127.0.0.1:" + std::to_string(sshd_->port()));

  EXPECT_TRUE(says(failure("hosts=1"), "no port from " + std::to_string(sshd_->port())));
}

TEST_F(SshTcp, NoOtherConnectionIsKnown) {
  Ssh::start_lab("", "connection: pigeon");

  EXPECT_TRUE(says(failure("hosts=1"), "option 'connection' is 'pigeon'; it can be ssh or tcp"));
}

}  // namespace
}  // namespace hostmesh::test
