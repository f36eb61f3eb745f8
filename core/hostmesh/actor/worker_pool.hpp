// WorkerPool: the threads on which user actors run, so that one that blocks holds up nobody but its like.
//
// Owned by the ActorSystem. Threads start with the first actor that needs one. The actor systems of one
// process can share the threads of one of them: each has a pool of its own, which ends for itself.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads);
  // On the threads of another pool, which may end first.
  struct Borrow {
    const WorkerPool& lender;
  };
  explicit WorkerPool(Borrow from);
  // What has not begun is dropped. Work that is under way is waited for, but not longer than a second: a
  // thread that is stuck in somebody's handler is left behind, with a warning.
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // Any thread. Makes sure that there is one thread at least, so that what is submitted later will be run.
  // Fails with kResourceLimit.
  Result<> need_one();
  // Any thread. First come, first served. `work` must not throw. When no further thread can be made, those
  // that are there do it.
  void submit(std::function<void()> work);
  // What has not begun is dropped, and all that is submitted later. Work that is under way is waited for, but
  // not longer than a second: a thread that is stuck in somebody's handler is left behind, with a warning. A
  // pool on borrowed threads does not wait: see when_idle().
  void stop();
  // After stop(): calls `idle` when the last work on borrowed threads has ended, on whatever thread that
  // happens, or now. It replaces the one before; null: nobody is told. It must only post.
  void when_idle(std::function<void()> idle);
  // The most there will be, and how many run now.
  std::size_t limit() const;
  std::size_t started() const;

 private:
  struct Threads;
  struct Borrowed;
  std::shared_ptr<Threads> threads_;
  std::shared_ptr<Borrowed> borrowed_;  // null: the threads are ours
};

}  // namespace hostmesh
