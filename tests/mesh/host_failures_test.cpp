// What is said when hosts do not come up.
#include "hostmesh/mesh/host_failures.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace hostmesh {
namespace {

HostFailure failure(Rank rank, const std::string& node, const std::string& what) {
  return {.rank = rank,
          .node = node,
          .error = Error(ErrorInfo{
              .cause = Cause::kSpawnFailed, .message = what, .rank = rank, .host = node, .phase = "launch"})};
}

TEST(ErrorOfHosts, OfOneRankIsThatOne) {
  EXPECT_EQ(error_of_hosts({failure(3, "node1", "no")}, 8).text(), "rank 3, host node1, phase launch: no");
}

TEST(ErrorOfHosts, OfOneMachineIsSaidOnce) {
  const Error error = error_of_hosts({failure(1, "node1", "no (2 tries)"), failure(0, "node1", "no")}, 8);

  EXPECT_EQ(error.text(),
            "rank 0, host node1, phase launch: no (2 of 8 hosts did not come up, all there: rank 0-1)");
}

TEST(ErrorOfHosts, OfSeveralMachinesIsATableWithALineForEach) {
  const Error error = error_of_hosts({failure(2, "node10", "nobody listens"), failure(0, "node1", "no name"),
                                      failure(1, "node1", "no name (7 tries)"), failure(3, "c", "no")},
                                     8);

  EXPECT_EQ(error.cause(), Cause::kSpawnFailed);
  EXPECT_EQ(error.text(),
            "phase launch: 4 of 8 hosts did not come up:\n"
            "  node1   no name\n"
            "  node10  nobody listens\n"
            "  c       no");
}

TEST(ErrorOfHosts, RanksWithoutAMachineThatFailedAlikeAreOne) {
  EXPECT_EQ(error_of_hosts({failure(0, "", "ENOENT"), failure(1, "", "ENOENT")}, 2).info().rank, 0U);
  EXPECT_EQ(error_of_hosts({failure(0, "", "ENOENT"), failure(1, "", "EPERM"), failure(2, "", "ENOENT")}, 3)
                .info()
                .message,
            "3 of 3 hosts did not come up:\n  rank 0, 2  ENOENT\n  rank 1     EPERM");
}

TEST(ErrorOfHosts, HowItEndedAndItsLastLineAreInTheTable) {
  HostFailure dead = failure(0, "a", "it ended");
  ErrorInfo info = dead.error.info();
  info.exit_status = "exited with code 3";
  info.last_lines = {"Traceback", "ValueError: no such device"};
  dead.error = Error(std::move(info));

  EXPECT_NE(error_of_hosts({dead, failure(1, "b", "no")}, 2)
                .text()
                .find("a  it ended; exited with code 3; its last line: ValueError: no such device\n"),
            std::string::npos);
}

TEST(ErrorOfHosts, ItsLengthIsBounded) {
  std::vector<HostFailure> failures;
  for (Rank rank = 0; rank < 1000; ++rank)
    failures.push_back(failure(rank, "node" + std::to_string(rank), std::string(5000, 'x') + "\ny"));

  const std::string text = error_of_hosts(failures, 1000).text();

  EXPECT_EQ(std::ranges::count(text, '\n'), 21);
  EXPECT_TRUE(text.ends_with("\n  and 980 more"));
  EXPECT_LT(text.size(), 10000U);
}

}  // namespace
}  // namespace hostmesh
