// Old kernels, and the seccomp profiles of older containers, refuse what is newer than they are.
#include <csignal>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

struct Refusal {
  const char* name;
  std::vector<std::string> words;  // of refuse_calls
};

class RefusedCalls : public SystemTest, public ::testing::WithParamInterface<Refusal> {
 protected:
  static constexpr int kNoFilter = 125;

  StartOptions behind_filter(StartOptions options) const {
    std::vector<std::string> argv{HOSTMESH_REFUSE_CALLS};
    argv.insert(argv.end(), GetParam().words.begin(), GetParam().words.end());
    argv.emplace_back("--");
    argv.insert(argv.end(), options.argv.begin(), options.argv.end());
    options.argv = std::move(argv);
    return options;
  }
  // With each way to start the children of two hosts.
  template <class Expect>
  void on_each_start(const std::string& script, const Expect& expect) {
    for (const char* allocator : {"process", "forks"}) {
      SCOPED_TRACE(allocator);
      Running hostmesh(
          behind_filter(run_script({"-a", allocator, "--extent", "hosts=2", "--timeout", "40s"}, script)));
      expect(hostmesh);
      if (IsSkipped()) return;
      expect_nothing_left();
    }
  }
  void finish(Running& hostmesh) {
    ASSERT_TRUE(hostmesh.finish()) << hostmesh.err();
    if (hostmesh.status() == kNoFilter) GTEST_SKIP() << "no filter can be installed here";
  }
};

TEST_P(RefusedCalls, StatusesArriveAndDescriptorsDoNot) {
  on_each_start("test ! -e /proc/self/fd/9 && exit 7", [this](Running& hostmesh) {
    ASSERT_NO_FATAL_FAILURE(finish(hostmesh));
    EXPECT_EQ(hostmesh.status(), 7) << hostmesh.err();
  });
}

TEST_P(RefusedCalls, WhatACommandLeavesBehindIsKilled) {
  on_each_start("setsid " + sleep_marked() + " & exit 0", [this](Running& hostmesh) {
    ASSERT_NO_FATAL_FAILURE(finish(hostmesh));
    EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  });
}

TEST_P(RefusedCalls, AnInterruptEndsAll) {
  on_each_start("echo up; setsid " + sleep_marked() + " & " + sleep_marked(), [this](Running& hostmesh) {
    if (!hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; })) {
      ASSERT_NO_FATAL_FAILURE(finish(hostmesh));
      FAIL() << hostmesh.err();
    }
    hostmesh.signal(SIGINT);
    ASSERT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 130) << hostmesh.err();
  });
}

TEST_P(RefusedCalls, AClientThatIsKilledLeavesNobody) {
  on_each_start("echo up; setsid " + sleep_marked() + " & " + sleep_marked(), [this](Running& hostmesh) {
    if (!hostmesh.read_until([&] { return lines_of(hostmesh.out()).size() == 2; })) {
      ASSERT_NO_FATAL_FAILURE(finish(hostmesh));
      FAIL() << hostmesh.err();
    }
    hostmesh.signal(SIGKILL);
    ASSERT_TRUE(hostmesh.await_end());
    EXPECT_TRUE(survivors(mark(), kHang).empty());
  });
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, RefusedCalls,
    ::testing::Values(
        Refusal{"ContainersOf2020", {"EPERM", "close_range", "clone3", "pidfd_open", "pidfd_send_signal"}},
        Refusal{"PidfdsCannotBeWaitedFor", {"EPERM", "waitid_pidfd", "pidfd_open", "pidfd_send_signal"}},
        Refusal{"NoPidfdAtAll",
                {"ENOSYS", "close_range", "clone3", "pidfd_open", "pidfd_send_signal", "waitid_pidfd",
                 "clone_pidfd"}}),
    [](const ::testing::TestParamInfo<Refusal>& refusal) { return refusal.param.name; });

}  // namespace
}  // namespace hostmesh::test
