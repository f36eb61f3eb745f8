#include "signals.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "hostmesh/base/error.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/thread.hpp"

namespace hostmesh::cli {

namespace {

constexpr int kRefresh_ms = 100;

// A blocked signal is not ignored any more, so what the caller wants ignored (nohup, a shell's background
// job) is left out; but for CONT, by which a run hears of the death of its keeper.
bool is_ignored(int number) {
  struct sigaction action {};
  return ::sigaction(number, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

sigset_t awaited_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : used_signals()) {
    if (number == SIGCONT || !is_ignored(number)) sigaddset(&set, number);
  }
  return set;
}

// One that knows how to take a line back.
bool is_able_terminal(int fd) {
  const char* const kind = std::getenv("TERM");
  return ::isatty(fd) == 1 && kind != nullptr && *kind != '\0' && std::string_view(kind) != "dumb";
}

UniqueFd needed(int fd, const char* what) {
  if (fd < 0) throw os_error(Cause::kResourceLimit, what, errno);
  return UniqueFd(fd);
}

}  // namespace

struct Signals::Impl {
  explicit Impl(std::function<void(int, Escalation::Action)> its_on_signal)
      : on_signal(std::move(its_on_signal)),
        set(awaited_signals()),
        signals(needed(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), "waiting for signals")),
        wake(needed(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), "waiting for signals")) {}

  void show(const std::string& line) {
    if (!terminal || line == shown) return;
    std::fprintf(stderr, "\r\033[K%s", line.c_str());
    std::fflush(stderr);
    shown = line;
  }

  // Shows how far it is; whether that is to be kept up to date.
  bool refresh() {
    const std::lock_guard lock(mutex);
    if (!terminal || !progress) return false;
    show(progress());
    return true;
  }

  void run() {
    Escalation escalation;
    while (!ending) {
      std::array<pollfd, 2> waiting{pollfd{.fd = signals.get(), .events = POLLIN, .revents = 0},
                                    pollfd{.fd = wake.get(), .events = POLLIN, .revents = 0}};
      if (::poll(waiting.data(), waiting.size(), refresh() ? kRefresh_ms : -1) <= 0) continue;
      eventfd_t count = 0;
      if (waiting[1].revents != 0) ::eventfd_read(wake.get(), &count);
      signalfd_siginfo info{};
      while (::read(signals.get(), &info, sizeof info) == sizeof info) {
        const int number = static_cast<int>(info.ssi_signo);
        const auto action = escalation.on(number, Escalation::Clock::now());
        if (action != Escalation::Action::kNothing) on_signal(number, action);
      }
    }
  }

  const std::function<void(int, Escalation::Action)> on_signal;
  const sigset_t set;
  const UniqueFd signals;
  const UniqueFd wake;
  std::mutex mutex;
  std::function<std::string()> progress;
  std::string shown;
  const bool terminal = is_able_terminal(STDERR_FILENO);
  std::atomic<bool> ending = false;
  std::thread thread;
};

Signals::Signals(std::function<void(int, Escalation::Action)> on_signal)
    : impl_(std::make_unique<Impl>(std::move(on_signal))) {
  ::pthread_sigmask(SIG_BLOCK, &impl_->set, nullptr);
  impl_->thread =
      hostmesh::value_or_throw(hostmesh::start_thread("hm-signals", [impl = impl_.get()] { impl->run(); }));
}

Signals::~Signals() {
  set_progress(nullptr);
  impl_->ending = true;
  ::eventfd_write(impl_->wake.get(), 1);
  impl_->thread.join();
}

void Signals::set_progress(std::function<std::string()> line) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->progress = std::move(line);
    if (!impl_->progress && !impl_->shown.empty()) impl_->show("");
  }
  // The thread decides anew whether to refresh.
  ::eventfd_write(impl_->wake.get(), 1);
}

}  // namespace hostmesh::cli
