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

// Its stdin is our request, and a value in that must not become a command.
TEST_F(SshFailures, ALoginThatRunsAnotherShellIsToldAtOnceAndExecutesNothing) {
  const auto trap = folder() / "executed";
  const std::string options =
      "environment: [\"A=l1\\ntouch " + trap.string() + "\\n\", \"B=$(touch " + trap.string() + ")\"]";
  for (const char* shell : {"exec sh", "exec bash --login", "exec csh"}) {
    start_lab("ForceCommand " + std::string(shell), options, "'node1'");
    const std::string err = failure("hosts=1");
    EXPECT_TRUE(says(err, "its login runs another shell in the place of our program")) << shell;
    EXPECT_FALSE(std::filesystem::exists(trap)) << shell;
    EXPECT_EQ(err.find("HMX2"), std::string::npos) << err;
  }
}

// What is sent has secrets.
TEST_F(SshFailures, ARequestThatComesBackIsNotShown) {
  start_lab("ForceCommand cat", "environment: ['TOKEN=xyzzy']", "'node1'");
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "3s");

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "(what was sent to it came back)"));
  EXPECT_EQ(err.find("HMX2"), std::string::npos) << err;
  EXPECT_EQ(err.find("78797a7a79"), std::string::npos) << err;
}

// One that goes on whatever it is told.
TEST_F(SshFailures, BehindItsGuardARequestHasNothingThatAShellCouldExecute) {
  const auto trap = folder() / "executed";
  start_lab("ForceCommand sed 's/^exit.*//' | sh",
            "environment: [\"A=l1\\ntouch " + trap.string() + "\\n\", \"B=$(touch " + trap.string() + ")\"]",
            "'node1'");
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "3s");

  EXPECT_NE(failure("hosts=1"), "");

  EXPECT_FALSE(std::filesystem::exists(trap));
}

// Such as a profile that asks a question, or starts another shell and goes on when that has ended.
TEST_F(SshFailures, ALoginThatReadsSomeLinesOfItsStdinDisturbsNothing) {
  for (const char* profile : {"read answer", "bash", "bash; read answer; bash"}) {
    start_lab("ForceCommand " + std::string(profile) + "; exec sh -c \"$SSH_ORIGINAL_COMMAND\"", "",
              "'node1'");
    Running hostmesh(run_script({"--extent", "hosts=1"}, "echo here is $HOSTMESH_RANK"));
    ASSERT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 0) << profile << ": " << hostmesh.err();
  }
}

// It is looked for in a banner's and a profile's words as well.
TEST_F(SshFailures, ABannerIsNotTakenForSshsWords) {
  write_file("banner", "use is administratively prohibited without a permit\n");
  start_lab("Banner " + (folder() / "banner").string());
  std::filesystem::copy_file(sshd_->file("stranger"), sshd_->file("key"),
                             std::filesystem::copy_options::overwrite_existing);
  configure("", "'node1'");

  expect_told("phase launch: it refuses the login", "Permission denied (publickey");
}

TEST_F(SshFailures, AProfileThatEndsTheLoginIsNoMissingProgram) {
  start_lab("ForceCommand echo 'bash: module: command not found' >&2; exit 0");

  expect_told("the login worked, and what was started there ended at once", "module: command not found");
}

TEST_F(SshFailures, AHostOnTheWayThatRefusesTheLogin) {
  start_lab();
  std::ofstream(sshd_->file("authorized_keys"), std::ios::trunc);
  configure("ssh_options: ['ProxyJump=jump']", "'node1'");

  expect_told("at the host on the way to it: it refuses the login", "Permission denied (publickey");
}

TEST_F(SshFailures, AProxyCommandThatIsNotThereIsNotTriedAgain) {
  start_lab("", "ssh_options: ['ProxyCommand=/no/such/proxy %h %p']");

  expect_told("at the host on the way to it: what leads to it ended", "/no/such/proxy");
}

TEST_F(SshFailures, AHostKeyThatHasChangedIsToldApart) {
  start_lab("", "unknown_hosts: accept-new", "'node1'");
  std::ifstream other(sshd_->file("stranger.pub"));
  std::ofstream(sshd_->file("known_hosts")) << "[127.0.0.1]:" << sshd_->port() << " " << other.rdbuf();

  expect_told("its host key has changed: it may be another machine", "Host key verification failed");
}

// As one that asks something of who logs in.
TEST_F(SshFailures, AProfileThatHangsIsToldWithWhatItSaid) {
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "10s");
  start_lab("ForceCommand echo welcome; echo careful >&2; printf 'Your project? '; exec " + sleep_marked());

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "host node1, phase launch: the process was not started within 10s"));
  EXPECT_TRUE(says(err, "Your project?"));
  EXPECT_TRUE(says(err, "careful"));
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
