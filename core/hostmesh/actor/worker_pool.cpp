#include "hostmesh/actor/worker_pool.hpp"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "hostmesh/base/log.hpp"

namespace hostmesh {

struct WorkerPool::Impl {
  explicit Impl(std::size_t most) : limit(std::max<std::size_t>(1, most)) {}

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      ++idle;
      wake.wait(lock, [this] { return closing || !queue.empty(); });
      --idle;
      if (closing) break;
      std::function<void()> work = std::move(queue.front());
      queue.pop_front();
      lock.unlock();
      work();
      work = nullptr;
      lock.lock();
    }
    --alive;
    ended.notify_all();
  }

  const std::size_t limit;
  std::mutex mutex;
  std::condition_variable wake;
  std::condition_variable ended;
  std::deque<std::function<void()>> queue;
  std::vector<std::thread> threads;
  std::size_t idle = 0;
  std::size_t alive = 0;
  bool closing = false;
};

WorkerPool::WorkerPool(std::size_t threads) : impl_(std::make_shared<Impl>(threads)) {}

WorkerPool::~WorkerPool() {
  stop();
}

void WorkerPool::stop() {
  std::deque<std::function<void()>> dropped;
  std::unique_lock lock(impl_->mutex);
  impl_->closing = true;
  dropped.swap(impl_->queue);
  impl_->wake.notify_all();
  const bool all = impl_->ended.wait_for(lock, std::chrono::seconds(1), [this] { return impl_->alive == 0; });
  std::vector<std::thread> threads = std::move(impl_->threads);
  const std::size_t stuck = impl_->alive;
  lock.unlock();
  if (!all)
    log::warning("worker threads are stuck in actors and left behind " +
                 log::field("count", std::to_string(stuck)));
  for (std::thread& thread : threads) {
    if (all && thread.get_id() != std::this_thread::get_id()) {
      thread.join();
    } else {
      thread.detach();
    }
  }
}

void WorkerPool::submit(std::function<void()> work) {
  const std::lock_guard lock(impl_->mutex);
  if (impl_->closing) return;
  impl_->queue.push_back(std::move(work));
  if (impl_->idle < impl_->queue.size() && impl_->threads.size() < impl_->limit) {
    ++impl_->alive;
    impl_->threads.emplace_back([impl = impl_] { impl->run(); });
    ::pthread_setname_np(impl_->threads.back().native_handle(), "hostmesh-worker");
  }
  impl_->wake.notify_one();
}

std::size_t WorkerPool::limit() const {
  return impl_->limit;
}

std::size_t WorkerPool::started() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->threads.size();
}

}  // namespace hostmesh
