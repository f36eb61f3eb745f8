#include "hostmesh/process/descendants.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <future>
#include <thread>

#include "fixture.hpp"
#include "hostmesh/process/adopted_reaper.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/detail/proc_children.hpp"
#include "hostmesh/process/launch_thread.hpp"
#include "hostmesh/process/sweep.hpp"

namespace hostmesh::test {
namespace {

std::vector<pid_t> pids(const std::vector<hostmesh::Child>& children) {
  std::vector<pid_t> result;
  for (const auto& child : children) result.push_back(child.pid);
  std::sort(result.begin(), result.end());
  return result;
}

class Descendants : public ProcessTest {
 protected:
  void SetUp() override { ASSERT_TRUE(become_subreaper()); }
  void TearDown() override {
    ProcessTest::TearDown();
    ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);  // for the next test in this program
  }

  // The pid that a helper prints.
  static pid_t printed(const Child& child) { return std::stoi(child.out); }

  std::optional<std::vector<pid_t>> sweep(std::shared_ptr<ChildRegistry> registry, Sweep::Ours ours,
                                          Duration bound = std::chrono::seconds(20)) {
    std::optional<std::vector<pid_t>> survivors;
    Sweep sweep(
        reactor(), std::move(registry), std::move(ours), Deadline::after(bound),
        [&](const Swept& swept) {
          EXPECT_FALSE(survivors) << "done was called twice";
          EXPECT_FALSE(swept.has_unseen);
          survivors = swept.survivors;
          killed_ = swept.killed;
          happened();
        },
        Sweep::Names::kKeep);
    EXPECT_FALSE(survivors) << "done was called inside the constructor";
    EXPECT_TRUE(run_until([&] { return survivors.has_value(); }));
    return survivors;
  }

  std::vector<std::string> killed_;  // by the last sweep
  const std::shared_ptr<ChildRegistry> registry_ = std::make_shared<ChildRegistry>();
};

// The daemons of these tests hold the pipes of those that start them.
constexpr AtExit kBriefly{.drain = std::chrono::milliseconds(20)};

// No descriptor can be opened while this lives.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &former_);
    const rlimit none{.rlim_cur = 3, .rlim_max = former_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    EXPECT_LT(::open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &former_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit former_{};
};

TEST_F(Descendants, AllWaysToListChildrenAgree) {
  Child& one = start(helper({"linger"}));
  Child& two = start(helper({"linger"}));
  std::vector<pid_t> expected{one.process->pid(), two.process->pid()};
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(pids(children_of_this_process()), expected);
  EXPECT_EQ(pids(*detail::children_by_parent()), expected);
  EXPECT_EQ(pids(detail::searched_children()), expected);
}

TEST_F(Descendants, WithoutADescriptorAListIsNothingRatherThanEmpty) {
  Child& child = start(helper({"linger"}));
  const NoDescriptors none;
  EXPECT_FALSE(detail::listed_children());
  EXPECT_FALSE(detail::children_by_parent());
  EXPECT_EQ(ChildSearch().next(), child.process->pid()) << "needs none";
}

// What a host owns whose descriptors have been used up by others, when its owner dies.
TEST_F(Descendants, SweepNeedsNoDescriptor) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer itself needs descriptors, to look at memory";
#endif
  Child& child = start(helper({"daemonise"}), kBriefly);
  ASSERT_TRUE(run_until([&] { return child.status && child.out.ends_with("\n"); }));
  const pid_t escaped = printed(child);
  Child& chain = start(helper({"chain", "3"}));
  ASSERT_TRUE(run_until([&] { return std::count(chain.out.begin(), chain.out.end(), '\n') == 3; }));
  chain.process.reset();
  const NoDescriptors none;
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_NE(::kill(escaped, 0), 0);
  EXPECT_FALSE(has_children());
}

TEST_F(Descendants, SweepNamesWhatItHadToKill) {
  Child& child = start(helper({"daemonise"}), kBriefly);
  ASSERT_TRUE(run_until([&] { return child.status && child.out.ends_with("\n"); }));
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_EQ(killed_, std::vector<std::string>{"process_helper"});
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_TRUE(killed_.empty());
}

TEST_F(Descendants, OnlyALivingOrphanIsOne) {
  EXPECT_FALSE(has_living_orphans());
  Child& child = start(helper({"daemonise"}), kBriefly);
  ASSERT_TRUE(run_until([&] { return child.status && child.out.ends_with("\n"); }));
  const pid_t escaped = printed(child);
  EXPECT_TRUE(has_living_orphans());
  ASSERT_EQ(living_orphans().size(), 1U);
  EXPECT_EQ(living_orphans().front().pid, escaped);
  const UniqueFd handle = detail::open_pidfd(escaped);
  ::kill(escaped, SIGKILL);
  ASSERT_TRUE(detail::wait_dead(handle.get(), std::chrono::seconds(20)));
  EXPECT_FALSE(has_living_orphans()) << "a zombie is no process that has to go";
  EXPECT_TRUE(has_children());
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_FALSE(has_children());
}

TEST_F(Descendants, AThreadsOwnChildIsTold) {
  if (!detail::listed_children()) GTEST_SKIP() << "this kernel does not list children by thread";
  std::promise<Result<SpawnedProcess>> spawned;
  std::promise<void> end;
  std::thread thread([&] {
    spawned.set_value(spawn(helper({"linger"})));
    end.get_future().wait();
  });
  Result<SpawnedProcess> child = spawned.get_future().get();
  const auto children = children_of_this_process();
  ASSERT_EQ(children.size(), 1U);
  EXPECT_FALSE(children[0].of_main_thread);
  end.set_value();
  thread.join();
}

TEST_F(Descendants, SweepReachesWhoLeftSessionGroupAndParent) {
  Child& child = start(helper({"daemonise"}), kBriefly);
  ASSERT_TRUE(run_until([&] { return child.status && child.out.ends_with("\n"); }));
  const pid_t escaped = printed(child);
  EXPECT_FALSE(is_dead(escaped)) << "the end of the group must not have reached it";
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_NE(::kill(escaped, 0), 0);
}

TEST_F(Descendants, SweepFollowsAChainOfGenerations) {
  Child& child = start(helper({"chain", "6"}));
  ASSERT_TRUE(run_until([&] { return std::count(child.out.begin(), child.out.end(), '\n') == 6; }));
  child.process.reset();
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_TRUE(children_of_this_process().empty());
}

TEST_F(Descendants, SweepLeavesOwnedChildrenAlone) {
  SpawnRequest request = helper({"linger"});
  request.registry = registry_;
  Child& owned = start(request);
  Child& stray = start(helper({"daemonise"}), kBriefly);
  ASSERT_TRUE(run_until([&] { return !owned.out.empty() && stray.status && !stray.out.empty(); }));
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_FALSE(is_dead(owned.process->pid()));
  EXPECT_NE(::kill(printed(stray), 0), 0);
}

TEST_F(Descendants, SweepKillsAnOwnedChildOnRequestButItsOwnerReapsIt) {
  SpawnRequest request = helper({"linger"});
  request.registry = registry_;
  Child& owned = start(request);
  EXPECT_EQ(sweep(registry_, [](pid_t) { return true; }), std::vector<pid_t>{});
  ASSERT_TRUE(run_until([&] { return owned.finished(); }));
  EXPECT_EQ(owned.status, ExitStatus::signalled(SIGKILL, false));
}

TEST_F(Descendants, SweepWaitsForALaunchThatIsUnderWay) {
  Child& child = start(helper({"linger"}));
  registry_->begin_launch();
  reactor().post([&] { reactor().post([&] { registry_->end_launch(child.process->pid()); }); });
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
  EXPECT_FALSE(is_dead(child.process->pid()));
}

// Its owner was faster than the next look of the sweep.
TEST_F(Descendants, SweepTakesNobodyForASurvivorWhoIsGone) {
  Result<SpawnedProcess> child = spawn(helper({"linger"}));
  ASSERT_TRUE(child);
  registry_->begin_launch();
  reactor().post([&] {
    reactor().post([&] {
      ::kill(child->pid, SIGKILL);
      EXPECT_EQ(::waitpid(child->pid, nullptr, 0), child->pid);
      child->pidfd.reset();
      registry_->end_launch(0);
    });
  });
  EXPECT_EQ(sweep(registry_, {}), std::vector<pid_t>{});
}

TEST_F(Descendants, SweepEndsAtItsDeadlineWithWhoIsLeft) {
  Child& child = start(helper({"linger"}));
  registry_->begin_launch();  // never ends, so that nothing can be decided
  EXPECT_EQ(sweep(registry_, {}, std::chrono::milliseconds(20)), std::vector<pid_t>{child.process->pid()});
  registry_->end_launch(0);
}

TEST_F(Descendants, OrphansThatDieByThemselvesAreTakenAway) {
  AdoptedReaper reaper(reactor(), registry_);
  SpawnRequest request = helper({"daemonise"});
  request.registry = registry_;
  Child& child = start(request, kBriefly);
  ASSERT_TRUE(run_until([&] { return child.status && child.out.ends_with("\n"); }));
  const pid_t orphan = printed(child);
  ::kill(orphan, SIGKILL);
  std::function<void()> look = [&] {
    if (::kill(orphan, 0) != 0) return reactor().stop();
    reactor().post(look);
  };
  reactor().post(look);
  EXPECT_TRUE(run_until([&] { return ::kill(orphan, 0) != 0; }));
}

TEST_F(Descendants, TheReaperOfOrphansNeverTakesAnOwnedChild) {
  AdoptedReaper reaper(reactor(), registry_);
  LaunchThread launcher;
  int over = 0;
  std::vector<std::unique_ptr<ChildProcess>> running;
  for (int i = 0; i < 100; ++i) {
    SpawnRequest request = shell("exit 7");
    request.registry = registry_;
    launcher.launch(request, [&](Result<SpawnedProcess> spawned) {
      auto child = std::make_shared<SpawnedProcess>(*std::move(spawned));
      reactor().post([&, child] {
        running.push_back(std::make_unique<ChildProcess>(
            reactor(), std::move(*child), ChildProcess::Events{.on_exit = [&](const ExitStatus& status) {
              EXPECT_EQ(status, ExitStatus::exited(7));
              ++over;
              happened();
            }}));
      });
    });
  }
  EXPECT_TRUE(run_until([&] { return over == 100; }));
}

TEST_F(Descendants, TheReaperOfOrphansLeavesOtherThreadsTheirChildren) {
  if (!detail::listed_children()) GTEST_SKIP() << "this kernel does not list children by thread";
  AdoptedReaper reaper(reactor(), registry_);
  std::vector<int> results;
  std::thread user([&] {
    for (int i = 0; i < 50; ++i) results.push_back(std::system("exit 3"));
    reactor().post([&] { reactor().stop(); });
  });
  EXPECT_TRUE(run_until([] { return false; }));
  user.join();
  for (const int result : results) EXPECT_EQ(WEXITSTATUS(result), 3);
}

TEST_F(Descendants, TheReaperOfOrphansInterruptsNoBlockingCall) {
  AdoptedReaper reaper(reactor(), registry_);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  // Given a thread that blocks in read() and is the only one to take SIGCHLD
  ssize_t count = 0;
  std::thread reading([&] {
    char byte = 0;
    count = ::read(ends[0], &byte, 1);
  });
  sigset_t child_signal;
  ::sigemptyset(&child_signal);
  ::sigaddset(&child_signal, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &child_signal, nullptr);
  // When children end
  for (int i = 0; i < 20; ++i) {
    SpawnRequest request = shell("exit 0");
    request.registry = registry_;
    run(request);
  }
  // Then it is still there to read
  EXPECT_EQ(::write(ends[1], "x", 1), 1);
  reading.join();
  EXPECT_EQ(count, 1);
  ::pthread_sigmask(SIG_UNBLOCK, &child_signal, nullptr);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace hostmesh::test
