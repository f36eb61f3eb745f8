#include "hostmesh/conformance/interrupt.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>
#include <utility>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/thread.hpp"

namespace hostmesh::conformance {

namespace {

sigset_t those_not_ignored() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) == 0 && action.sa_handler != SIG_IGN) sigaddset(&set, number);
  }
  return set;
}

}  // namespace

struct Interrupt::Impl {
  std::function<void(int)> on_signal;
  sigset_t former;
  UniqueFd signals;
  UniqueFd end;
  std::thread thread;

  void run() const {
    for (;;) {
      pollfd polled[] = {{.fd = signals.get(), .events = POLLIN, .revents = 0},
                         {.fd = end.get(), .events = POLLIN, .revents = 0}};
      if (::poll(polled, 2, -1) < 0) continue;
      if (polled[1].revents != 0) return;
      signalfd_siginfo info{};
      if (::read(signals.get(), &info, sizeof(info)) == sizeof(info)) {
        on_signal(static_cast<int>(info.ssi_signo));
      }
    }
  }
};

Interrupt::Interrupt(std::function<void(int number)> on_signal) : impl_(std::make_unique<Impl>()) {
  impl_->on_signal = std::move(on_signal);
  const sigset_t set = those_not_ignored();
  ::pthread_sigmask(SIG_BLOCK, &set, &impl_->former);
  impl_->signals = UniqueFd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!impl_->signals) throw os_error(Cause::kIo, "a descriptor for signals could not be made", errno);
  impl_->end = UniqueFd(::eventfd(0, EFD_CLOEXEC));
  if (!impl_->end) throw os_error(Cause::kIo, "an eventfd could not be made", errno);
  impl_->thread = value_or_throw(start_thread("hm-signals", [impl = impl_.get()] { impl->run(); }));
}

Interrupt::~Interrupt() {
  ::eventfd_write(impl_->end.get(), 1);
  impl_->thread.join();
  ::pthread_sigmask(SIG_SETMASK, &impl_->former, nullptr);
}

}  // namespace hostmesh::conformance
