// Very many hosts, and a thousand again and again: nothing may grow.
#include "mesh/fixture.hpp"

namespace hostmesh::test {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kHosts = 100;  // a sanitized child is ten times as large, and freed memory is kept
constexpr std::uint64_t kLocalHosts = 1000;
constexpr int kRepetitions = 5;
constexpr std::uint64_t kMostGrowth_kB = 400'000;
#else
constexpr std::uint64_t kHosts = 1000;
constexpr std::uint64_t kLocalHosts = 10'000;
constexpr int kRepetitions = 20;
constexpr std::uint64_t kMostGrowth_kB = 8'000;
#endif
// After these the allocator's pools and the tables have their size.
constexpr int kWarmUp = 3;

std::uint64_t resident_kB() {
  std::ifstream in("/proc/self/status");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return std::stoull(field_of(text, "VmRSS"));
}

class Thousand : public MeshTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void come_up_answer_and_go_down() {
    HostMesh mesh = HostMesh::allocate(runtime(), alloc({.extent = {{"hosts", kHosts}}}), "scale");
    Gather<std::vector<std::string>> answers(kHosts);
    for (Rank rank = 0; rank < kHosts; ++rank) {
      client().call_async(mesh.ref().hosts()[rank].agent(), ListMeshes{}, soon(), answers.slot(rank));
    }
    const auto all = answers.wait("answer");
    ASSERT_TRUE(all) << all.error().text();
    mesh.shutdown();
  }
};

TEST_P(Thousand, HostsComeUpAnswerAndGoDownWithoutGrowth) {
  use_allocator(GetParam());
  std::size_t descriptors = 0;
  std::uint64_t memory_kB = 0;

  for (int repetition = 1; repetition <= kRepetitions; ++repetition) {
    come_up_answer_and_go_down();
    if (HasFatalFailure()) return;
    if (repetition > kWarmUp) continue;
    descriptors = open_descriptors();
    memory_kB = resident_kB();
  }

  // A leak would show once for each repetition; what is on its way out, such as the last fork server, shows
  // once.
  EXPECT_LT(open_descriptors(), descriptors + static_cast<std::size_t>(kRepetitions - kWarmUp) / 2 + 2);
  EXPECT_LT(resident_kB(), memory_kB + kMostGrowth_kB);
}

class Local : public MeshTest {
 protected:
  Local() {
    use_allocator("local");
    // All of this is on one thread, and the machine may have other things to do.
    for (const auto& time :
         {attribute::kLaunchTimeout, attribute::kHelloTimeout, attribute::kStartTimeout,
          attribute::kHeartbeatTimeout, attribute::kHandshakeTimeout, attribute::kHostSpawnReadyTimeout,
          attribute::kProcSpawnMaxIdle, attribute::kActorSpawnMaxIdle, attribute::kMessageDeliveryTimeout,
          attribute::kTerminateTimeout, attribute::kProcessExitTimeout}) {
      config().set(ConfigLayer::kRuntime, time, std::chrono::minutes(5));
    }
  }
  void come_up_with_procs_answer_a_cast_and_go_down(std::uint64_t count) {
    AllocateOptions options;
    options.within = std::chrono::minutes(5);
    HostMesh mesh =
        HostMesh::allocate(runtime(), alloc({.extent = {{"hosts", count}}}), "local", std::move(options));
    auto counters = procs(mesh, {}).spawn<Counter>("counter", 3);
    counters.cast(Increment{4});
    const auto answers = counters.call(Read{});
    EXPECT_EQ(std::ranges::count_if(answers, [](const auto& answer) { return answer.second == 7; }),
              static_cast<std::ptrdiff_t>(count));
    mesh.shutdown();
  }
};

TEST_F(Local, TenThousandHostsComeUpAnswerACastAndGoDown) {
  const std::size_t threads = entries_in("/proc/self/task");

  come_up_with_procs_answer_a_cast_and_go_down(kLocalHosts);

  EXPECT_LE(entries_in("/proc/self/task"),
            threads + 2 + config().get(attribute::kWorkerThreads));  // and those of a sanitizer
}

TEST_F(Local, ProcsWithActorsComeAndGoWithoutGrowth) {
  constexpr std::uint64_t kMany = kHosts / 4;
  std::size_t descriptors = 0;
  std::uint64_t memory_kB = 0;

  for (int repetition = 1; repetition <= kRepetitions; ++repetition) {
    come_up_with_procs_answer_a_cast_and_go_down(kMany);
    if (repetition > kWarmUp) continue;
    descriptors = open_descriptors();
    memory_kB = resident_kB();
  }

  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_LT(resident_kB(), memory_kB + kMostGrowth_kB);
}

INSTANTIATE_TEST_SUITE_P(Started, Thousand, ::testing::Values("process", "forks", "local"),
                         [](const auto& how) { return std::string(how.param); });

}  // namespace
}  // namespace hostmesh::test
