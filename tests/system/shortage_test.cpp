// Each thread and each process that a run makes is refused once, in the client, a host and a proc: the run
// succeeds, or fails with a known status and says what was missing; nobody is killed by a signal and nothing
// is left.
#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

class Shortage : public SystemTest, public ::testing::WithParamInterface<const char*> {
 protected:
  // True when the run has not noticed.
  bool try_with(const std::string& plan, std::vector<std::string> options) {
    set_environment("HOSTMESH_FAULT", plan);
    Running hostmesh(run_script(std::move(options), "echo here"));
    EXPECT_TRUE(hostmesh.finish()) << plan << ": " << hostmesh.err();
    const bool whole = hostmesh.status() == 0;
    EXPECT_TRUE(whole || hostmesh.status() == 3)
        << plan << ": status " << hostmesh.status() << ": " << hostmesh.err();
    if (whole) {
      EXPECT_EQ(lines_of(hostmesh.out()).size(), 4U) << plan << ": " << hostmesh.err();
    } else {
      EXPECT_NE(hostmesh.err().find("EAGAIN"), std::string::npos) << plan << ": " << hostmesh.err();
      EXPECT_NE(hostmesh.err().find("ulimit -u"), std::string::npos) << plan << ": " << hostmesh.err();
      EXPECT_EQ(hostmesh.err().find("terminate called"), std::string::npos) << plan << ": " << hostmesh.err();
    }
    expect_nothing_left();
    return whole;
  }
};

TEST_P(Shortage, OfOneIsSurvivedOrNamed) {
  const std::string what = GetParam();
  // As many as there are, and one more, which nobody misses.
  std::size_t refused = 0;
  for (int n = 1; n <= 6 && !HasFailure(); ++n) {
    if (!try_with(what + ":" + std::to_string(n), {"--extent", "hosts=2", "--per-host", "procs=2"}))
      ++refused;
  }
  EXPECT_GE(refused, 1U) << "the plan did not arrive at its place";
}

TEST_P(Shortage, OfAllIsNamed) {
  EXPECT_FALSE(try_with(std::string(GetParam()) + ":1+", {"--extent", "hosts=2", "--per-host", "procs=2"}));
}

INSTANTIATE_TEST_SUITE_P(Everywhere, Shortage,
                         ::testing::Values("client:thread", "client:process", "host:thread", "host:process"),
                         [](const auto& each) {
                           std::string name = each.param;
                           name.replace(name.find(':'), 1, "_");
                           return name;
                         });

}  // namespace
}  // namespace hostmesh::test
