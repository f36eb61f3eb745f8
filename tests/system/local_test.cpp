// hostmesh run on hosts inside its own process: what can be seen from outside is what it is with processes.
#include <csignal>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

class LocalHosts : public SystemTest {};

TEST_F(LocalHosts, RunCommandsWithTheirRanks) {
  Running hostmesh(run_script({"-a", "local", "--no-label", "--extent", "hosts=2", "--per-host", "procs=2"},
                              "echo $HOSTMESH_RANK $HOSTMESH_HOST_RANK $HOSTMESH_LOCAL_RANK $PPID "
                              "$(readlink /proc/$PPID/exe | sed 's:.*/::')"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  const std::vector<std::string> lines = sorted_lines_of(hostmesh.out());
  ASSERT_EQ(lines.size(), 4U);
  // All in one process, the client.
  const std::string end = lines.front().substr(std::string("0 0 0").size());
  EXPECT_TRUE(end.ends_with(" client")) << end;
  EXPECT_EQ(lines, (std::vector<std::string>{"0 0 0" + end, "1 0 1" + end, "2 1 0" + end, "3 1 1" + end}));
}

TEST_F(LocalHosts, TellHowACommandFailed) {
  Running hostmesh(
      run_script({"-a", "local", "--extent", "hosts=2"},
                 "[ $HOSTMESH_RANK = 0 ] || { echo last words >&2; exit 7; }; exec " + sleep_marked()));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 7);
  EXPECT_NE(hostmesh.err().find("last words"), std::string::npos) << hostmesh.err();
}

TEST_F(LocalHosts, LeaveNothingBehindWhenTheRunIsInterrupted) {
  const std::string up = "echo up; exec " + sleep_marked();
  Running hostmesh(run_script({"-a", "local", "--extent", "hosts=2", "--per-host", "procs=2"},
                              "(setsid sh -c '" + up + "' &); " + up));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 8; })) << hostmesh.err();

  hostmesh.signal(SIGINT);

  ASSERT_TRUE(hostmesh.finish());
  expect_nothing_left();
}

TEST_F(LocalHosts, TheirCommandsDieWithTheProgram) {
  Running hostmesh(run_script({"-a", "local", "--extent", "hosts=2"}, "echo up; exec " + sleep_marked()));
  ASSERT_TRUE(hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; })) << hostmesh.err();

  hostmesh.signal(SIGKILL);

  EXPECT_TRUE(hostmesh.await_end());
  expect_nothing_left();
}

}  // namespace
}  // namespace hostmesh::test
