#include "signals.hpp"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

#include "hostmesh/base/thread.hpp"

namespace hostmesh::cli {

namespace {

// Makes the thread look around; aimed at it alone.
constexpr int kWake = SIGUSR2;
constexpr long kRefresh_ns = 100'000'000;

// A blocked signal is not ignored any more, so what the caller wants ignored (nohup, a shell's background
// job) is left out.
bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, kWake);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    if (!is_ignored(number)) sigaddset(&set, number);
  }
  return set;
}

}  // namespace

struct Signals::Impl {
  std::function<void(int, int)> on_signal;
  std::mutex mutex;
  std::function<std::string()> progress;
  std::string shown;
  const bool terminal = ::isatty(STDERR_FILENO) == 1;
  std::thread thread;

  void show(const std::string& line) {
    if (!terminal || line == shown) return;
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
    shown = line;
  }

  void run() {
    const sigset_t set = awaited_signals();
    int how_often = 0;
    for (;;) {
      const timespec refresh{.tv_sec = 0, .tv_nsec = kRefresh_ns};
      bool refreshing = false;
      {
        const std::lock_guard lock(mutex);
        refreshing = terminal && progress;
        if (refreshing) show(progress());
      }
      const int number = refreshing ? ::sigtimedwait(&set, nullptr, &refresh) : ::sigwaitinfo(&set, nullptr);
      if (number == kWake && ending) return;
      if (number > 0 && number != kWake) on_signal(number, ++how_often);
    }
  }

  std::atomic<bool> ending = false;
};

Signals::Signals(std::function<void(int, int)> on_signal) : impl_(std::make_unique<Impl>()) {
  impl_->on_signal = std::move(on_signal);
  const sigset_t set = awaited_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  impl_->thread =
      hostmesh::value_or_throw(hostmesh::start_thread("hm-signals", [impl = impl_.get()] { impl->run(); }));
}

Signals::~Signals() {
  set_progress(nullptr);
  impl_->ending = true;
  ::pthread_kill(impl_->thread.native_handle(), kWake);
  impl_->thread.join();
}

void Signals::set_progress(std::function<std::string()> line) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->progress = std::move(line);
    if (!impl_->progress && !impl_->shown.empty()) impl_->show("");
  }
  // Wakes the thread, which decides anew whether to refresh.
  ::pthread_kill(impl_->thread.native_handle(), kWake);
}

}  // namespace hostmesh::cli
