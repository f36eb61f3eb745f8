// The allocator ssh and what keeps a login from working: each trouble produced with a real client, told in a
// few words of ours and in the client's own.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "system/ssh_fixture.hpp"

namespace hostmesh::test {
namespace {

class SshFailures : public Ssh {
 protected:
  void expect_told(const std::string& what, const std::string& clients_words) {
    const std::string err = failure("hosts=1");
    EXPECT_TRUE(says(err, what + "; ssh said: "));
    EXPECT_TRUE(says(err, clients_words));
  }
};

// Somebody who listens where an ssh daemon is expected.
class Stranger {
 public:
  Stranger() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(socket_.get(), generic, size) != 0 || ::listen(socket_.get(), 1) != 0 ||
        ::getsockname(socket_.get(), generic, &size) != 0)
      throw std::runtime_error("no listener");
    port_ = ntohs(address.sin_port);
  }
  ~Stranger() { ::shutdown(socket_.get(), SHUT_RDWR); }
  Stranger(const Stranger&) = delete;
  Stranger& operator=(const Stranger&) = delete;

  std::string host() const { return "'node1:" + std::to_string(port_) + "'"; }
  // Greets the first who comes.
  void greet(const std::string& text) {
    thread_ = std::jthread([this, text] {
      const UniqueFd peer(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!peer) return;
      (void)::send(peer.get(), text.data(), text.size(), MSG_NOSIGNAL);
      char byte = 0;
      while (::recv(peer.get(), &byte, 1, 0) > 0) {
      }
    });
  }

 private:
  UniqueFd socket_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

TEST_F(SshFailures, ADaemonThatSaysNothingIsNotWaitedForLongerThanAsked) {
  start_lab();
  const Stranger silent;
  configure("connect_timeout: 1s", silent.host());

  expect_told("it did not answer in time", "timed out during banner exchange");
}

TEST_F(SshFailures, WhoeverIsNoSshDaemonIsToldApart) {
  start_lab();
  Stranger talker;
  talker.greet(std::string("\0\1\2 no line of text\r\n", 20));
  configure("", talker.host());

  expect_told("what answers at its ssh port is no ssh daemon", "invalid");
}

TEST_F(SshFailures, AMachineThatTheNetworkDoesNotKnow) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can have a network without machines";
  start_lab();
  write_file("ssh", "#!/bin/sh\nexec unshare -n ssh \"$@\"\n");
  std::filesystem::permissions(folder() / "ssh", std::filesystem::perms::owner_all);
  configure("ssh: " + (folder() / "ssh").string(), "'node1'");

  expect_told("the network knows no way to it", "Network is unreachable");
}

TEST_F(SshFailures, TwoEndsWithoutAMethodInCommon) {
  start_lab("KexAlgorithms curve25519-sha256",
            "ssh_options: ['KexAlgorithms=diffie-hellman-group14-sha256']");

  expect_told("its ssh and ours have no method in common", "no matching key exchange method");
}

TEST_F(SshFailures, AHostOnTheWayThatForwardsNothing) {
  start_lab("AllowTcpForwarding no", "ssh_options: ['ProxyJump=jump']");

  expect_told("the host on the way to it does not let us through", "stdio forwarding failed");
}

TEST_F(SshFailures, AnOptionThatSshDoesNotKnow) {
  start_lab("", "ssh_options: ['Nonsense=yes']");

  expect_told("ssh does not understand its configuration", "Bad configuration option: nonsense");
}

TEST_F(SshFailures, AProgramThatCannotBeExecuted) {
  start_lab();
  write_file("hostmesh-bootstrap", "no program");
  configure("", "'node1'", (folder() / "hostmesh-bootstrap").string());

  expect_told("the program to start cannot be executed there", "Permission denied");
}

TEST_F(SshFailures, AProgramForAnotherMachine) {
  start_lab();
  // As much of one as exec looks at.
  std::string head("\177ELF\002\001\001", 7);
  head.resize(16);
  head += std::string("\002\000\025\000\001\000\000\000", 8);
  head.resize(64);
  std::ofstream(folder() / "hostmesh-bootstrap", std::ios::binary) << head;
  std::filesystem::permissions(folder() / "hostmesh-bootstrap", std::filesystem::perms::owner_all);
  configure("", "'node1'", (folder() / "hostmesh-bootstrap").string());

  expect_told("it is a machine of another kind", "xec format error");
}

TEST_F(SshFailures, AnAccountThatMayNotLogIn) {
  start_lab("ForceCommand echo This account is currently not available.; exit 1");

  expect_told("the login worked, and what was started there ended at once", "currently not available");
}

TEST_F(SshFailures, AProgramOfOursInAnotherVersion) {
  write_file(
      "hostmesh-bootstrap",
      "#!/bin/sh\necho 'hostmesh-bootstrap: this is version 7.1.0 of hostmesh, and its client is 7.2.0: both "
      "ends have to be of the same version' >&2\nexit 126\n");
  std::filesystem::permissions(folder() / "hostmesh-bootstrap", std::filesystem::perms::owner_all);
  start_lab();
  configure("", "'node1'", (folder() / "hostmesh-bootstrap").string());

  expect_told("its hostmesh-bootstrap is of another version", "this is version 7.1.0");
}

// As one that asks something of who logs in. No word of ssh's is to be had; but it is said which host it is.
TEST_F(SshFailures, AProfileThatHangs) {
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "10s");
  start_lab("ForceCommand exec " + sleep_marked());

  EXPECT_TRUE(says(failure("hosts=1"), "host node1, phase launch: the process was not started within 10s"));

  for (const pid_t pid : processes_named("sleep")) ::kill(pid, SIGKILL);
}

TEST_F(SshFailures, AnSshClientThatIsMissing) {
  start_lab("", "ssh: /nowhere/ssh");

  EXPECT_TRUE(says(failure("hosts=1"), "/nowhere/ssh"));
}

TEST_F(SshFailures, AKilledClientIsToldAsThat) {
  write_file("ssh", "#!/bin/sh\nkill -9 $$\n");
  std::filesystem::permissions(folder() / "ssh", std::filesystem::perms::owner_all);
  start_lab("", "ssh: " + (folder() / "ssh").string());

  EXPECT_TRUE(
      says(failure("hosts=1"), "its ssh client was killed; ssh said nothing and ended with signal 9"));
}

}  // namespace
}  // namespace hostmesh::test
