// The allocator ssh against a real daemon: four hosts that are one machine, and everything that goes wrong.
#include <csignal>
#include <fstream>

#include "system/ssh_fixture.hpp"

namespace hostmesh::test {
namespace {

TEST_F(Ssh, FourHostsPrintTheirLines) {
  start_lab();

  Running hostmesh(run_script({"--extent", "hosts=4"}, "echo here is $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(sorted_lines_of(hostmesh.out()),
            (std::vector<std::string>{"[0] here is 0", "[1] here is 1", "[2] here is 2", "[3] here is 3"}));
}

TEST_F(Ssh, ACommandsExitStatusComesThrough) {
  start_lab();

  Running hostmesh(run_script({"--extent", "hosts=2"}, "exit $((HOSTMESH_RANK * 7))"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_TRUE(says(hostmesh.err(), "exited with code 7"));
}

TEST_F(Ssh, WhenTheClientIsKilledNothingIsLeftAnywhere) {
  start_lab();
  Running hostmesh(run_script({"--extent", "hosts=4"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 4; })) << hostmesh.err();

  ::kill(hostmesh.pid(), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  expect_nothing_left();
}

// As when a cable is cut: no connection ends, and nothing comes any more.
TEST_F(Ssh, AClientThatIsSilentForTooLongIsGoneForItsHosts) {
  start_lab();
  set_environment("HOSTMESH_OWNER_TIMEOUT", "2s");
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "3s");
  Running hostmesh(run_script({"--extent", "hosts=2"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; })) << hostmesh.err();

  ::kill(client_of(hostmesh), SIGSTOP);

  EXPECT_TRUE(becomes_true(
      [&] { return processes_named("hostmesh-bootstrap").empty() && processes_named("sleep").empty(); }));
  ::kill(client_of(hostmesh), SIGCONT);
  ASSERT_TRUE(hostmesh.finish());
  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_TRUE(says(hostmesh.err(), "its owner has been silent for "));
}

// Nobody of ours is above a host on another machine but its keeper.
TEST_F(Ssh, WhenAHostIsKilledItsDaemonsAreNotLeftOnItsMachine) {
  start_lab();
  const std::string up = "echo up; exec " + sleep_marked();
  Running hostmesh(
      run_script({"--extent", "hosts=2"}, "(env -i /usr/bin/setsid /bin/sh -c '" + up + "' &); " + up));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 4; })) << hostmesh.err();
  const std::vector<pid_t> hosts = processes_named("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 2U) << "a keeper is no host";

  for (const pid_t host : hosts) ::kill(host, SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_NE(hostmesh.status(), 0);
  expect_nothing_left();
}

TEST_F(Ssh, WhenOneConnectionIsKilledItsHostIsLostAndSaysSo) {
  start_lab();
  Running hostmesh(run_script({"--extent", "hosts=4"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 4; })) << hostmesh.err();
  const auto clients = clients_to("node2");
  ASSERT_EQ(clients.size(), 1U);

  ::kill(clients.front(), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_TRUE(says(hostmesh.err(), "the connection to node2 is lost: its ssh client was killed by signal 9"));
}

TEST_F(Ssh, WhenAHostsProcessIsKilledWhatItStartedGoesAsWell) {
  start_lab();
  Running hostmesh(run_script({"--extent", "hosts=2"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; })) << hostmesh.err();
  const auto hosts = processes_named("hostmesh-bootstrap");
  ASSERT_EQ(hosts.size(), 2U);

  ::kill(hosts.front(), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_NE(hostmesh.status(), 0);
  EXPECT_TRUE(says(hostmesh.err(), "node"));
  expect_nothing_left();
}

TEST_F(Ssh, AKeyThatIsNotAcceptedIsToldInSshsOwnWords) {
  start_lab();
  configure("ssh_options: ['IdentityFile=" + sshd_->file("stranger").string() + "']");
  std::filesystem::remove(sshd_->file("key"));

  const std::string err = failure();

  EXPECT_TRUE(says(err, "it refuses the login"));
  EXPECT_TRUE(says(err, "Permission denied (publickey"));
}

TEST_F(Ssh, AnUnknownHostKeyFailsAndIsTakenOnlyWhenAsked) {
  start_lab();
  std::filesystem::resize_file(sshd_->file("known_hosts"), 0);
  EXPECT_TRUE(says(failure(), "its host key is not one that is trusted"));

  configure("unknown_hosts: accept-new");
  Running hostmesh(run({"--extent", "hosts=1"}, {"true"}));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
}

TEST_F(Ssh, APortWhereNobodyListensIsToldApart) {
  start_lab();
  configure("", "'node1:1'");

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "nobody listens at its ssh port"));
  EXPECT_TRUE(says(err, "Connection refused"));
}

// Each host once, however many ranks it has, and nothing of this machine.
TEST_F(Ssh, WhenManyHostsFailEachHasALineOfATable) {
  start_lab();
  configure("slots: 2, retries: 0", "'nowhere.invalid', 'node1', 'node2:1'");

  // On a machine that is busy with other things one of them may be too late for the table.
  std::string err;
  for (int i = 0; i < 5 && err.find("4 of 6") == std::string::npos; ++i) err = failure("hosts=6");

  EXPECT_TRUE(says(err,
                   "hostmesh: phase launch: 4 of 6 hosts did not come up:\n"
                   "  nowhere.invalid  its name does not resolve; ssh said: "));
  EXPECT_TRUE(says(err, "\n  node2:1          nobody listens at its ssh port; ssh said: "));
  EXPECT_EQ(err.find("node1"), std::string::npos) << err;
  EXPECT_EQ(err.find("(pid 0)"), std::string::npos) << err;
  EXPECT_EQ(err.find("command:"), std::string::npos) << err;
  EXPECT_EQ(err.find("turned away"), std::string::npos) << err;
}

TEST_F(Ssh, ANameThatDoesNotResolveIsToldApart) {
  start_lab();
  configure("retries: 0", "'nowhere.invalid'");

  EXPECT_TRUE(says(failure("hosts=1"), "its name does not resolve"));
}

TEST_F(Ssh, AHostWithoutOurProgramIsToldWhereItIsMissing) {
  start_lab();
  configure("", "'node[1-4]'", "/nowhere/hostmesh-bootstrap");

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "there is no /nowhere/hostmesh-bootstrap"));
  EXPECT_TRUE(says(err, "host node1, phase launch: "));
  EXPECT_TRUE(says(err, "push: true"));
}

// As for root who logs in as somebody else.
TEST_F(Ssh, AFolderThatTheLoginMayNotEnterIsAsOneThatIsNotThere) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can log in as nobody";
  const auto closed = folder() / "closed";
  std::filesystem::create_directory(closed);
  std::filesystem::permissions(closed, std::filesystem::perms::owner_all);
  std::filesystem::permissions(folder(),
                               std::filesystem::perms::owner_all | std::filesystem::perms::group_read |
                                   std::filesystem::perms::group_exec | std::filesystem::perms::others_read |
                                   std::filesystem::perms::others_exec);
  start_lab(
      "ForceCommand cd / && exec setpriv --reuid 65534 --regid 65534 --clear-groups "
      "sh -c \"$SSH_ORIGINAL_COMMAND\"");
  StartOptions options = run({"--extent", "hosts=1"}, {"pwd"});
  options.working_directory = closed;

  Running hostmesh(options);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(hostmesh.out(), "[0] /\n");
}

TEST_F(Ssh, AProfileThatPrintsDisturbsNothing) {
  start_lab("ForceCommand echo welcome; seq 1 2000; echo careful >&2; exec $SSH_ORIGINAL_COMMAND");

  Running hostmesh(run_script({"--extent", "hosts=4"}, "echo here is $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(lines_of(hostmesh.out()).size(), 4U) << hostmesh.out();
}

TEST_F(Ssh, AProfileThatNeverStopsIsAnErrorAndNoHang) {
  start_lab("ForceCommand exec yes");

  EXPECT_TRUE(says(failure("hosts=1"), "more than 64 KiB came on its stdout"));
}

TEST_F(Ssh, TheRemoteShellMayBeOfTheCshFamily) {
  if (::access("/bin/csh", X_OK) != 0) GTEST_SKIP() << "/bin/csh is not installed";
  start_lab("ForceCommand exec /bin/csh -c \"$SSH_ORIGINAL_COMMAND\"");

  Running hostmesh(run_script({"--extent", "hosts=2"}, "echo 'here  is' $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(sorted_lines_of(hostmesh.out()), (std::vector<std::string>{"[0] here  is 0", "[1] here  is 1"}));
}

TEST_F(Ssh, SixtyFourRanksOnOneDaemonOfDefaultLimitsAllComeUp) {
  start_lab("MaxStartups 10:30:100", "slots: 64", "'node1'");
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "100s");
  set_environment("HOSTMESH_HOST_SPAWN_READY_TIMEOUT", "100s");

  Running hostmesh(run_script({"--extent", "hosts=64"}, "echo $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish(std::chrono::seconds(100)));
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(lines_of(hostmesh.out()).size(), 64U);
}

// A login takes its time, and eight of them at once theirs: the cases may take ten times as long. Those of
// scale are in ssh_scale_test.cpp.
class SshConforms : public Ssh {
 protected:
  void expect_passed(const std::string& cases) {
    start_lab("MaxStartups 100", "slots: 64, parallelism_per_host: 64", "'node1'");

    Running suite(hostmesh({"conformance", "-c", plugins_yaml().string(), "-a", "lab", "--patience", "10",
                            "--jobs", "4", "--only", cases}));

    EXPECT_TRUE(suite.finish(std::chrono::seconds(100)));
    EXPECT_EQ(suite.status(), 0) << suite.out() << suite.err();
  }
};

TEST_F(SshConforms, InItsReportsAndTheirOrder) {
  expect_passed("load.*,config.*,order.*");
}

TEST_F(SshConforms, InLaunching) {
  expect_passed("launch.*,client.*");
}

TEST_F(SshConforms, InOutput) {
  expect_passed("output.*");
}

TEST_F(SshConforms, InStopping) {
  expect_passed("stop.*");
}

TEST_F(SshConforms, AsAnAllocation) {
  expect_passed("alloc.*,orphans.*,detect.*,secure.*");
}

// The daemon turns away what is too much for it; here everybody comes at once.
TEST_F(Ssh, LoginsThatAreTurnedAwayAreTriedAgain) {
  start_lab("MaxStartups 2:50:4", "slots: 12, parallelism_per_host: 12, retries: 20", "'node1'");
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "100s");
  set_environment("HOSTMESH_HOST_SPAWN_READY_TIMEOUT", "100s");

  Running hostmesh(run_script({"--extent", "hosts=12"}, "echo $HOSTMESH_RANK"));

  ASSERT_TRUE(hostmesh.finish(std::chrono::seconds(100)));
  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_TRUE(says(sshd_->log(), "MaxStartups"));
}

}  // namespace
}  // namespace hostmesh::test
