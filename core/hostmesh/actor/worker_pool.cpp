#include "hostmesh/actor/worker_pool.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "hostmesh/base/log.hpp"
#include "hostmesh/base/thread.hpp"

namespace hostmesh {

struct WorkerPool::Threads : std::enable_shared_from_this<WorkerPool::Threads> {
  explicit Threads(std::size_t most) : limit(std::max<std::size_t>(1, most)) {}

  void submit(std::function<void()> work) {
    const std::lock_guard lock(mutex);
    if (closing) return;
    queue.push_back(std::move(work));
    if (idle < queue.size() && threads.size() < limit) {
      if (const auto added = add_thread(); !added && !std::exchange(has_complained, true)) {
        log::warning("actors share fewer worker threads than WORKER_THREADS " +
                     log::field("have", std::to_string(threads.size())) + " " +
                     log::field("why", added.error().text()));
      }
    }
    wake.notify_one();
  }

  Result<> need_one() {
    const std::lock_guard lock(mutex);
    if (closing || !threads.empty()) return {};
    return add_thread();
  }

  // With the lock held.
  Result<> add_thread() {
    threads.reserve(threads.size() + 1);
    // The handlers of users run there, and what those start is to have the program's own signal mask.
    auto started = start_thread(
        "hostmesh-worker", [this, keep = shared_from_this()] { run(); }, ThreadSignals::kInherited);
    if (!started) return started.error();
    ++alive;  // before it can end, which takes the lock
    threads.push_back(*std::move(started));
    return {};
  }

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
  bool has_complained = false;
};

// One borrower: what it has under way on the threads of somebody else.
struct WorkerPool::Borrowed {
  bool begin() {
    const std::lock_guard lock(mutex);
    if (closed) return false;
    ++running;
    return true;
  }
  void end() {
    std::function<void()> idle;
    {
      const std::lock_guard lock(mutex);
      if (--running == 0 && closed) idle = std::exchange(when_idle, nullptr);
    }
    if (idle) idle();
  }

  std::mutex mutex;
  std::size_t running = 0;
  bool closed = false;
  std::function<void()> when_idle;
};

WorkerPool::WorkerPool(std::size_t threads) : threads_(std::make_shared<Threads>(threads)) {}

WorkerPool::WorkerPool(Borrow from)
    : threads_(from.lender.threads_), borrowed_(std::make_shared<Borrowed>()) {}

WorkerPool::~WorkerPool() {
  stop();
}

void WorkerPool::stop() {
  if (borrowed_) {
    const std::lock_guard lock(borrowed_->mutex);
    borrowed_->closed = true;
    return;
  }
  std::deque<std::function<void()>> dropped;
  std::unique_lock lock(threads_->mutex);
  threads_->closing = true;
  dropped.swap(threads_->queue);
  threads_->wake.notify_all();
  const bool all =
      threads_->ended.wait_for(lock, std::chrono::seconds(1), [this] { return threads_->alive == 0; });
  std::vector<std::thread> threads = std::move(threads_->threads);
  const std::size_t stuck = threads_->alive;
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

void WorkerPool::when_idle(std::function<void()> idle) {
  if (borrowed_) {
    const std::lock_guard lock(borrowed_->mutex);
    if (borrowed_->running > 0) {
      borrowed_->when_idle = std::move(idle);
      return;
    }
  }
  if (idle) idle();
}

void WorkerPool::submit(std::function<void()> work) {
  if (!borrowed_) return threads_->submit(std::move(work));
  threads_->submit([borrowed = borrowed_, work = std::move(work)] {
    if (!borrowed->begin()) return;
    work();
    borrowed->end();
  });
}

Result<> WorkerPool::need_one() {
  return threads_->need_one();
}

std::size_t WorkerPool::limit() const {
  return threads_->limit;
}

std::size_t WorkerPool::started() const {
  const std::lock_guard lock(threads_->mutex);
  return threads_->threads.size();
}

}  // namespace hostmesh
