#include "hostmesh/process/launch_thread.hpp"

#include <pthread.h>

#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "hostmesh/process/detail/launch_pad.hpp"

namespace hostmesh {

namespace {

struct Queued {
  SpawnRequest request;
  LaunchThread::Done done;
};

void cancel(Queued& queued) {
  queued.done(Error(ErrorInfo{.cause = Cause::kCancelled,
                              .message = "not started: its owner was stopped first",
                              .phase = "launch",
                              .command = command_text(queued.request.argv)}));
}

}  // namespace

struct LaunchThread::Impl {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Queued> queue;
  enum class Phase { kIdle, kStarted, kStopping } phase = Phase::kIdle;
  bool spawning = false;
  bool closing = false;
  std::function<void()> closed;  // to be called by the thread when its spawn has ended
  std::thread thread;

  void run() {
    ::pthread_setname_np(::pthread_self(), "hm-launch");
    detail::LaunchPad pad(detail::LaunchPad::Numbers::kLow);
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return phase == Phase::kStopping || !queue.empty(); });
      if (phase == Phase::kStopping) return;
      Queued next = std::move(queue.front());
      queue.pop_front();
      spawning = true;
      lock.unlock();
      next.done(spawn(next.request, pad));
      lock.lock();
      spawning = false;
      if (const auto tell = std::exchange(closed, nullptr)) {
        lock.unlock();
        tell();
        lock.lock();
      }
    }
  }

  // Signals are for the threads of the program that owns this one.
  void start_thread() {
    sigset_t all;
    sigset_t former;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &former);
    thread = std::thread([this] { run(); });
    ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
  }
};

LaunchThread::LaunchThread() : impl_(std::make_unique<Impl>()) {}

LaunchThread::~LaunchThread() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->phase = Impl::Phase::kStopping;
  }
  impl_->changed.notify_one();
  if (impl_->thread.joinable()) impl_->thread.join();
  for (Queued& queued : impl_->queue) cancel(queued);
}

void LaunchThread::launch(SpawnRequest request, Done done) {
  Queued queued{std::move(request), std::move(done)};
  {
    const std::lock_guard lock(impl_->mutex);
    if (!impl_->closing) {
      impl_->queue.push_back(std::move(queued));
      if (impl_->phase == Impl::Phase::kIdle) {
        impl_->phase = Impl::Phase::kStarted;
        impl_->start_thread();
      }
      impl_->changed.notify_one();
      return;
    }
  }
  cancel(queued);
}

bool LaunchThread::close(std::function<void()> closed) {
  std::deque<Queued> cancelled;
  bool is_closed = true;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
    cancelled.swap(impl_->queue);
    is_closed = !impl_->spawning;
    if (!is_closed) impl_->closed = std::move(closed);
  }
  for (Queued& queued : cancelled) cancel(queued);
  return is_closed;
}

}  // namespace hostmesh
