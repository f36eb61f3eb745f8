#include "connecting.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hostmesh_ssh {
namespace {

// What was started, for a thread that waits for it.
class Started {
 public:
  Connecting::Start record() {
    return [this](std::uint64_t id) {
      const std::lock_guard lock(mutex_);
      ids_.push_back(id);
      changed_.notify_all();
      return true;
    };
  }
  std::vector<std::uint64_t> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(30), [&] { return ids_.size() >= count; });
    return ids_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::uint64_t> ids_;
};

using Ids = std::vector<std::uint64_t>;

TEST(SshConnecting, OneHostHasAsManyAtOnceAsItMayAndOthersGoAhead) {
  Started started;
  Connecting connecting({.at_once = 8, .at_once_per_host = 2}, started.record());

  for (std::uint64_t id = 1; id <= 3; ++id) connecting.add(id, "a");
  connecting.add(4, "b");

  EXPECT_EQ(started.wait_for(3), (Ids{1, 2, 4}));
  connecting.done(2);
  EXPECT_EQ(started.wait_for(4), (Ids{1, 2, 4, 3}));
}

TEST(SshConnecting, AllHostsTogetherHaveALimitAsWell) {
  Started started;
  Connecting connecting({.at_once = 1, .at_once_per_host = 8}, started.record());

  connecting.add(1, "a");
  connecting.add(2, "b");

  EXPECT_EQ(started.wait_for(1), (Ids{1}));
  connecting.done(1);
  EXPECT_EQ(started.wait_for(2), (Ids{1, 2}));
}

TEST(SshConnecting, OneThatWaitsCanBeWithdrawnAndOneThatWasStartedCannot) {
  Started started;
  Connecting connecting({.at_once = 1, .at_once_per_host = 1}, started.record());
  connecting.add(1, "a");
  started.wait_for(1);
  connecting.add(2, "a");

  EXPECT_FALSE(connecting.withdraw(1));
  EXPECT_TRUE(connecting.withdraw(2));
  connecting.add(3, "a");
  connecting.done(1);

  EXPECT_EQ(started.wait_for(2), (Ids{1, 3}));
}

TEST(SshConnecting, OneThatCannotBeStartedLeavesItsPlaceToTheNext) {
  Started started;
  const Connecting::Start record = started.record();
  Connecting connecting({.at_once = 1, .at_once_per_host = 1},
                        [&](std::uint64_t id) { return record(id) && id != 1; });

  connecting.add(1, "a");
  connecting.add(2, "a");

  EXPECT_EQ(started.wait_for(2), (Ids{1, 2}));
}

TEST(SshConnecting, PausesGrowUpToABound) {
  using namespace std::chrono_literals;
  Connecting connecting({}, [](std::uint64_t) { return true; });

  for (int i = 0; i < 100; ++i) {
    EXPECT_GE(connecting.pause_before(1), 100ms);
    EXPECT_LE(connecting.pause_before(1), 300ms);
    EXPECT_GE(connecting.pause_before(3), 400ms);
    EXPECT_LE(connecting.pause_before(1000), 7500ms);
  }
}

}  // namespace
}  // namespace hostmesh_ssh
