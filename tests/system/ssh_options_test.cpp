// The allocator ssh: that each option does what it says.
#include <algorithm>

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
  EXPECT_TRUE(says(failure("hosts=5"), "4 hosts with 1 slot each"));
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
           {"hosts_file: /nowhere/hosts", "/nowhere/hosts cannot be read"},
           {"environment: ['=x']", "has no name"}}) {
    if (!sshd_) start_lab();
    configure(option);
    EXPECT_TRUE(says(failure("hosts=1"), why)) << option;
  }
}

}  // namespace
}  // namespace hostmesh::test
