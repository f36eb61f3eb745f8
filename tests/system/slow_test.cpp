// What takes its time: a gigabyte of output, a thousand hosts.
#include <algorithm>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

#ifdef __SANITIZE_ADDRESS__
constexpr std::uint64_t kMostMemory = 900'000;  // kB
#else
constexpr std::uint64_t kMostMemory = 150'000;  // kB
#endif

struct Source {
  const char* name;
  const char* script;
};

class Flood : public SystemTest, public ::testing::WithParamInterface<Source> {};

TEST_P(Flood, OfAGigabyteNeedsLittleMemory) {
  constexpr std::uint64_t kBytes = 1 << 30;
  Running hostmesh(run_script({"--no-label"}, std::string(GetParam().script) + " | head -c 1073741824"));

  std::uint64_t got = 0;
  std::uint64_t client = 0;
  std::uint64_t host = 0;
  std::uint64_t next_look = 0;
  for (;;) {
    const std::string piece = hostmesh.read_out(1 << 16);
    if (piece.empty()) break;
    got += piece.size();
    if (got < next_look) continue;
    next_look = got + (64 << 20);
    client = std::max(client, status_number(client_of(hostmesh), "VmHWM"));
    for (const pid_t pid : processes_named("hostmesh-bootstrap"))
      host = std::max(host, status_number(pid, "VmHWM"));
  }
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_GE(got, kBytes);
  EXPECT_LE(got, kBytes + 1);  // the end of the last line
  EXPECT_GT(client, 0U);
  EXPECT_GT(host, 0U);
  EXPECT_LT(client, kMostMemory);
  EXPECT_LT(host, kMostMemory);
}

INSTANTIATE_TEST_SUITE_P(
    Of, Flood,
    ::testing::Values(Source{"Lines", "yes 'a line as they come, neither long nor short'"},
                      Source{"OneLine", "cat /dev/zero"}, Source{"InvalidUtf8", "yes '' | tr '\\n' '\\377'"}),
    [](const auto& flood) { return std::string(flood.param.name); });

using ThousandHosts = SystemTest;

TEST_F(ThousandHosts, ComeUpAnswerAndGoDown) {
  Running hostmesh(run_script({"--extent", "hosts=1000", "--timeout", "5m"}, "echo $RANK"));

  ASSERT_TRUE(hostmesh.finish(std::chrono::minutes(6)));

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err().substr(0, 4000);
  std::vector<std::string> expected;
  for (int rank = 0; rank < 1000; ++rank)
    expected.push_back("[" + std::to_string(rank) + "] " + std::to_string(rank));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(sorted_lines_of(hostmesh.out()), expected);
}

}  // namespace
}  // namespace hostmesh::test
