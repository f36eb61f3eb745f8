// WorkerPool: the threads on which user actors run, so that one that blocks holds up nobody but its like.
//
// Owned by the ActorSystem. Threads start with the first piece of work.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace hostmesh {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);
  // What has not begun is dropped. Work that is under way is waited for, but not longer than a second: a
  // thread that is stuck in somebody's handler is left behind, with a warning.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Any thread. First come, first served. `work` must not throw.
  void submit(std::function<void()> work);
  // What has not begun is dropped, and all that is submitted later. Work that is under way is waited for, but
  // not longer than a second: a thread that is stuck in somebody's handler is left behind, with a warning.
  void stop();
  // The most there will be, and how many run now.
  std::size_t limit() const;
  std::size_t started() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh
