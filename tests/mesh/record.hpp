// What callbacks were told, on whatever thread, for a test that waits for it.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "hostmesh/base/deadline.hpp"

namespace hostmesh::test {

// Bounds what would otherwise hang; nothing is expected to take that long.
inline Deadline soon() {
  return Deadline::after(std::chrono::seconds(30));
}

template <class T>
class Record {
 public:
  void add(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_all();
  }
  std::vector<T> items() const {
    const std::lock_guard lock(mutex_);
    return items_;
  }
  template <class Goal>
  ::testing::AssertionResult wait_until(Goal goal) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_until(lock, soon().when(), [&] { return goal(items_); }))
      return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "it did not happen; " << items_.size() << " things did";
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> items_;
};

}  // namespace hostmesh::test
