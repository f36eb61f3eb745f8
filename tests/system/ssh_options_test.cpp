// The allocator ssh: that each option does what it says.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <iterator>

#include "system/ssh_fixture.hpp"

namespace hostmesh::test {
namespace {

class SshOptions : public Ssh {
 protected:
  std::vector<std::string> lines_of_run(const std::string& extent, const std::string& script) {
    Running hostmesh(run_script({"--extent", extent}, script));
    EXPECT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
    return sorted_lines_of(hostmesh.out());
  }
  // How often that is in the daemon's log.
  std::ptrdiff_t log_has(const std::string& text) {
    const auto lines = lines_of(sshd_->log());
    return std::ranges::count_if(lines,
                                 [&](const std::string& line) { return line.find(text) != line.npos; });
  }
};

using Lines = std::vector<std::string>;

TEST_F(SshOptions, HostsMayStandInAFileBesidesTheList) {
  start_lab();
  const auto file = write_file(
      "hosts", "# the others\nnode[2-3]  # two of them\nlocalhost:" + std::to_string(sshd_->port()) + "\n");
  configure("hosts_file: " + file.string(), "'node1'");

  EXPECT_EQ(lines_of_run("hosts=4", "echo $HOSTMESH_RANK"), (Lines{"[0] 0", "[1] 1", "[2] 2", "[3] 3"}));
  configure("hosts_file: " + file.string(), "'node1'");
  EXPECT_TRUE(says(failure("hosts=5"), "rank 4 has no place: 4 hosts have 4 slots in all"));
}

// Whatever the client's are.
TEST_F(SshOptions, WorkingDirectoryAndEnvironmentHoldForTheCommands) {
  set_environment("PICKED", "from here");
  set_environment("SHADE", "client's");
  start_lab("",
            "working_directory: /usr/lib, environment: ['SHADE=deep  blue', PICKED, NOT_THERE, 'RANK=7']");

  EXPECT_EQ(
      lines_of_run("hosts=1", "pwd; echo \"$SHADE\"; echo \"$PICKED\"; echo ${NOT_THERE-unset}; echo $RANK"),
      (Lines{"[0] /usr/lib", "[0] 0", "[0] deep  blue", "[0] from here", "[0] unset"}));
}

TEST_F(SshOptions, AWorkingDirectoryThatIsNotThereIsAnError) {
  start_lab("", "working_directory: /nowhere/at/all");

  EXPECT_TRUE(says(failure("hosts=1"), "the working directory '/nowhere/at/all'"));
}

// The daemon asks a program about each key that it is shown, and once more when the login is complete.
TEST_F(SshOptions, ALoginMayPauseAsLongAsTheConnectTimeoutSays) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root's daemon asks a program";
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "1s");
  const auto keys = folder() / "keys";
  start_lab("AuthorizedKeysCommand /bin/sh -c \"sleep 3; cat " + keys.string() +
                "\"\nAuthorizedKeysCommandUser root",
            "connect_timeout: 2s", "'node1'");
  std::filesystem::rename(sshd_->file("authorized_keys"), keys);
  EXPECT_TRUE(says(failure("hosts=1"), "it did not answer in time"));

  configure("connect_timeout: 30s", "'node1'");

  EXPECT_EQ(lines_of_run("hosts=1", "echo $HOSTMESH_RANK"), (Lines{"[0] 0"}));
}

// Longer than the client's ssh alone would wait.
TEST_F(SshOptions, AConnectionMayBeSilentAsLongAsHeartbeatsMay) {
  write_file("ssh", "#!/bin/sh\nprintf '%s\\n' \"$@\" >" + (folder() / "words").string() +
                        "\nexec /usr/bin/ssh \"$@\"\n");
  std::filesystem::permissions(folder() / "ssh", std::filesystem::perms::owner_all);
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "2m");
  start_lab("", "ssh: " + (folder() / "ssh").string(), "'node1'");

  EXPECT_EQ(lines_of_run("hosts=1", "echo $HOSTMESH_RANK"), (Lines{"[0] 0"}));

  std::ifstream in(folder() / "words");
  std::vector<std::string> words;
  for (std::string word; std::getline(in, word);) words.push_back(word);
  EXPECT_NE(std::ranges::find(words, "ServerAliveInterval=5"), words.end());
  EXPECT_NE(std::ranges::find(words, "ServerAliveCountMax=24"), words.end());
}

TEST_F(SshOptions, AHostMayHaveSettingsOfItsOwn) {
  write_file("other", "#!/bin/sh\nexec " + bin("hostmesh-bootstrap").string() + " \"$@\"\n");
  std::filesystem::permissions(folder() / "other", std::filesystem::perms::owner_all);
  start_lab("", "environment: ['SHADE=blue', 'TINT=pale'], slots: 2",
            "'node1 slots=1 environment=SHADE=a,b remote_command=" + (folder() / "other").string() +
                " working_directory=/usr', node2");

  EXPECT_EQ(lines_of_run("hosts=3", "echo $SHADE $TINT $(test $PWD = /usr && echo there)"),
            (Lines{"[0] a,b pale there", "[1] blue pale", "[2] blue pale"}));
  configure("slots: 2", "'node1 slots=1', node2");
  EXPECT_TRUE(says(failure("hosts=4"), "rank 3 has no place: 2 hosts have 3 slots in all"));
}

// As a master that is killed leaves it: a file that nobody listens at.
TEST_F(SshOptions, MultiplexedRunsLeaveNoSockets) {
  const std::string sockets = "/tmp/hostmesh-ssh-" + std::to_string(::geteuid());
  const auto count = [&] {
    return std::distance(std::filesystem::directory_iterator(sockets), std::filesystem::directory_iterator());
  };
  start_lab("", "multiplex: true", "'node1'");
  EXPECT_EQ(lines_of_run("hosts=1", "ls " + sockets + " | wc -l"), (Lines{"[0] 1"}));
  EXPECT_EQ(count(), 0);

  Running killed(run_script({"--extent", "hosts=1"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(killed.read_until_out("up"));
  ::kill(client_of(killed), SIGKILL);
  ASSERT_TRUE(killed.finish());
  expect_nothing_left();
  EXPECT_EQ(count(), 1) << "it was killed, and could not";

  EXPECT_EQ(lines_of_run("hosts=1", "echo $HOSTMESH_RANK"), (Lines{"[0] 0"}));
  EXPECT_EQ(count(), 0);
}

TEST_F(SshOptions, MultiplexedLaunchesShareALogin) {
  start_lab("", "multiplex: true, slots: 4, parallelism_per_host: 1", "'node1'");

  EXPECT_EQ(lines_of_run("hosts=4", "echo $HOSTMESH_RANK").size(), 4U);

  EXPECT_EQ(log_has("Accepted publickey"), 1) << sshd_->log();
}

TEST_F(SshOptions, AJumpHostOfTheUsersConfigurationIsUsed) {
  start_lab("", "ssh_options: ['ProxyJump=jump']", "'node1'");

  EXPECT_EQ(lines_of_run("hosts=1", "echo $HOSTMESH_RANK"), (Lines{"[0] 0"}));

  EXPECT_EQ(log_has("Accepted publickey"), 2) << sshd_->log();
}

TEST_F(SshOptions, WithoutRetriesALoginThatIsTurnedAwayIsAFailure) {
  start_lab("MaxStartups 1:100:1", "slots: 8, parallelism_per_host: 8, retries: 0", "'node1'");

  EXPECT_TRUE(says(failure("hosts=8"), "its ssh daemon closed the connection before the login"));
}

TEST_F(SshOptions, ValuesThatCannotBeAreToldBeforeAnythingStarts) {
  for (const auto& [option, why] : std::vector<std::pair<std::string, std::string>>{
           {"slots: 0", "option 'slots' is 0: at least 1"},
           {"parallelism: 0", "option 'parallelism' is 0: at least 1"},
           {"parallelism_per_host: -3", "option 'parallelism_per_host' is -3: at least 1"},
           {"retries: -1", "option 'retries' is -1"},
           {"unknown_hosts: whoever", "it can be fail or accept-new"},
           {"hosts_file: /nowhere/hosts", "option 'hosts_file': /nowhere/hosts cannot be read: No such file"},
           {"push: true, push_file: ~/nowhere",
            std::string(::getenv("HOME")) + "/nowhere cannot be read: No such file"},
           {"push_folder: nowhere", "it begins with / or ~/"},
           {"push_folder: '/tmp/$(id)'", "it begins with / or ~/"},
           {"environment: ['=x']", "has no name"}}) {
    if (!sshd_) start_lab();
    configure(option);
    EXPECT_TRUE(says(failure("hosts=1"), why)) << option;
  }
}

// What they say, or are, is run here or over there.
TEST_F(Ssh, FilesThatOthersCanWriteToAreNotUsed) {
  start_lab();
  const std::filesystem::path file = write_file("open", "node1\n");
  ASSERT_EQ(::chmod(file.c_str(), 0666), 0);
  for (const std::string option : {"hosts_file", "ssh_config", "push_file"}) {
    write_file("plugins.yaml",
               "plugin_path: [" + (bin("..") / "lib/hostmesh/plugins").lexically_normal().string() +
                   "]\nallocators:\n  lab: {plugin: ssh, options: {hosts: [node1], push: true, " + option +
                   ": " + file.string() + "}}\n");
    EXPECT_TRUE(says(failure("hosts=1"), file.string() +
                                             " is not used: it can be written to by others (mode 0666); "
                                             "try: chmod go-w " +
                                             file.string()))
        << option;
  }
}

}  // namespace
}  // namespace hostmesh::test
