// Cancel: one switch, thrown at most once, that ends waits from another thread.
#pragma once

#include <functional>
#include <mutex>
#include <utility>
#include <vector>

namespace hostmesh {

// Any thread.
class Cancel {
 public:
  void request() {
    std::vector<std::function<void()>> woken;
    {
      const std::lock_guard lock(mutex_);
      if (std::exchange(requested_, true)) return;
      woken.swap(waiting_);
    }
    for (const auto& wake : woken) wake();
  }
  bool requested() const {
    const std::lock_guard lock(mutex_);
    return requested_;
  }
  // Runs `wake` once it is requested, on the thread that does; at once when it has been.
  void on_request(std::function<void()> wake) {
    {
      const std::lock_guard lock(mutex_);
      if (!requested_) {
        waiting_.push_back(std::move(wake));
        return;
      }
    }
    wake();
  }

 private:
  mutable std::mutex mutex_;
  bool requested_ = false;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace hostmesh
