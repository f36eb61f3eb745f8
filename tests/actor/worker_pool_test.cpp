// Pools on borrowed threads: each ends for itself.
#include "hostmesh/actor/worker_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <latch>
#include <optional>

namespace hostmesh {
namespace {

constexpr std::chrono::seconds kHang{30};

TEST(BorrowedWorkers, WorkOnTheThreadsOfTheirLender) {
  WorkerPool lender(1);
  WorkerPool one(WorkerPool::Borrow{lender});
  WorkerPool other(WorkerPool::Borrow{one});
  std::promise<void> done;

  one.submit([] {});
  other.submit([&] { done.set_value(); });

  ASSERT_EQ(done.get_future().wait_for(kHang), std::future_status::ready);
  EXPECT_EQ(lender.started(), 1U);
  EXPECT_EQ(other.limit(), 1U);
}

TEST(BorrowedWorkers, OneThatHasStoppedDoesNotBeginWhatItWasGiven) {
  WorkerPool lender(1);
  WorkerPool stopped(WorkerPool::Borrow{lender});
  WorkerPool other(WorkerPool::Borrow{lender});
  std::latch first(1);
  std::promise<void> last;
  std::atomic<bool> began = false;
  lender.submit([&] { first.wait(); });
  stopped.submit([&] { began = true; });
  other.submit([&] { last.set_value(); });

  stopped.stop();
  first.count_down();

  ASSERT_EQ(last.get_future().wait_for(kHang), std::future_status::ready) << "its neighbour goes on";
  EXPECT_FALSE(began);
}

TEST(BorrowedWorkers, TellWhenTheirLastWorkHasEnded) {
  WorkerPool lender(1);
  WorkerPool borrowed(WorkerPool::Borrow{lender});
  std::latch entered(1);
  std::latch released(1);
  std::promise<void> idle;
  borrowed.submit([&] {
    entered.count_down();
    released.wait();
  });
  entered.wait();

  borrowed.stop();
  borrowed.when_idle([&] { idle.set_value(); });

  auto told = idle.get_future();
  EXPECT_EQ(told.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
  released.count_down();
  EXPECT_EQ(told.wait_for(kHang), std::future_status::ready);
}

TEST(BorrowedWorkers, WithNothingUnderWayAreIdleAtOnce) {
  WorkerPool lender(1);
  WorkerPool borrowed(WorkerPool::Borrow{lender});
  bool idle = false;

  borrowed.stop();
  borrowed.when_idle([&] { idle = true; });

  EXPECT_TRUE(idle);
}

TEST(BorrowedWorkers, MayOutliveTheirLender) {
  std::optional<WorkerPool> lender(std::in_place, 1);
  WorkerPool borrowed(WorkerPool::Borrow{*lender});
  std::atomic<bool> began = false;

  lender.reset();
  borrowed.submit([&] { began = true; });

  EXPECT_FALSE(began);
}

}  // namespace
}  // namespace hostmesh
