#include "hostmesh/process/launch_thread.hpp"

#include <poll.h>

#include <algorithm>
#include <future>
#include <thread>

#include "fixture.hpp"
#include "hostmesh/base/fault.hpp"

namespace hostmesh::test {
namespace {

std::size_t threads() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) ++count;
  return count;
}

class Launching : public ProcessTest {};

TEST_F(Launching, TheThreadStartsWithTheFirstLaunch) {
  const std::size_t before = threads();
  LaunchThread idle;
  EXPECT_EQ(threads(), before);
}

TEST_F(Launching, WithoutAThreadForItALaunchFailsAndTheNextOneTriesAgain) {
  LaunchThread launcher;
  fault::set_plan("client:thread:1");
  std::optional<Error> error;
  launcher.launch(shell("true"), [&](const Result<SpawnedProcess>& child) {
    if (!child) error = child.error();
  });
  fault::set_plan("");
  ASSERT_TRUE(error) << "the answer comes inside the call";
  EXPECT_EQ(error->cause(), Cause::kResourceLimit);
  EXPECT_EQ(error->info().phase, "launch");
  std::promise<bool> launched;
  launcher.launch(shell("true"),
                  [&](const Result<SpawnedProcess>& child) { launched.set_value(child.has_value()); });
  EXPECT_TRUE(launched.get_future().get());
}

TEST_F(Launching, AnswersComeInTheOrderOfTheCallsFailuresToo) {
  LaunchThread launcher;
  std::vector<int> order;  // written by the launch thread until the last answer
  std::promise<void> last;
  for (int i = 0; i < 20; ++i) {
    SpawnRequest request = i % 3 == 1 ? SpawnRequest{.argv = {"/nonexistent"}} : shell("true");
    launcher.launch(request, [&, i](const Result<SpawnedProcess>& child) {
      EXPECT_EQ(child.has_value(), i % 3 != 1);
      order.push_back(i);
      if (i == 19) last.set_value();
    });
  }
  last.get_future().wait();
  ASSERT_EQ(order.size(), 20U);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(Launching, TheOutputOfALaunchEndsWithItsChildWhileTheThreadLivesOn) {
  LaunchThread launcher;
  for (int i = 0; i < 3; ++i) {
    std::promise<UniqueFd> launched;
    launcher.launch(shell("true"), [&](Result<SpawnedProcess> child) {
      launched.set_value(child ? std::move(child->stdout_pipe) : UniqueFd());
    });
    const UniqueFd output = launched.get_future().get();
    ASSERT_TRUE(output);
    // Not even the thread's own copies keep it open
    pollfd waiting{.fd = output.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&waiting, 1, 20'000), 1);
    EXPECT_NE(waiting.revents & POLLHUP, 0);
  }
}

TEST_F(Launching, WhatIsQueuedAtTheEndIsAnsweredWithCancelled) {
  std::vector<Cause> causes;
  int answered = 0;
  auto launcher = std::make_unique<LaunchThread>();
  // Given a first launch whose answer holds the thread until the end has begun
  std::promise<void> first_runs;
  std::promise<void> go_on;
  launcher->launch(shell("true"), [&](const Result<SpawnedProcess>&) {
    ++answered;
    first_runs.set_value();
    go_on.get_future().wait();
  });
  first_runs.get_future().wait();
  for (int i = 0; i < 3; ++i) {
    launcher->launch(shell("true"), [&](const Result<SpawnedProcess>& child) {
      ++answered;
      if (!child) causes.push_back(child.error().cause());
    });
  }
  std::thread ending([&] { launcher.reset(); });
  go_on.set_value();
  ending.join();
  // Then everybody has one answer, and whatever was not started says so
  EXPECT_EQ(answered, 4);
  for (const Cause cause : causes) EXPECT_EQ(cause, Cause::kCancelled);
}

TEST_F(Launching, NothingIsStartedOnceItIsClosedAndTheSpawnUnderWayIsAwaited) {
  LaunchThread launcher;
  std::promise<void> first_runs;
  std::promise<void> go_on;
  std::atomic<bool> first_ended = false;
  launcher.launch(shell("true"), [&](const Result<SpawnedProcess>&) {
    first_runs.set_value();
    go_on.get_future().wait();
    first_ended = true;
  });
  first_runs.get_future().wait();
  std::vector<Cause> causes;
  const auto note = [&](const Result<SpawnedProcess>& child) {
    ASSERT_FALSE(child.has_value());
    causes.push_back(child.error().cause());
  };
  launcher.launch(shell("true"), note);

  std::promise<bool> closed;
  ASSERT_FALSE(launcher.close([&] { closed.set_value(first_ended); }));
  launcher.launch(shell("true"), note);

  EXPECT_EQ(causes, std::vector<Cause>(2, Cause::kCancelled));
  auto ended = closed.get_future();
  EXPECT_EQ(ended.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  go_on.set_value();
  EXPECT_TRUE(ended.get());
}

TEST_F(Launching, ClosingAnIdleThreadIsDoneAtOnce) {
  LaunchThread launcher;
  EXPECT_TRUE(launcher.close([] { ADD_FAILURE() << "nothing was under way"; }));
}

}  // namespace
}  // namespace hostmesh::test
