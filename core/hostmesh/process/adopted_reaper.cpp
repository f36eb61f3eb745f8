#include "hostmesh/process/adopted_reaper.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/error.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh {

namespace {

// A child that has ended and has not been reaped; 0 when there is none. With __WNOTHREAD only those of the
// thread that asks.
pid_t some_zombie(int of_thread = 0) {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | of_thread) == 0 ? info.si_pid : 0;
}

// Asio installs its handler without flags, so that blocking calls on every thread of the program would fail
// with EINTR each time a child ends or stops.
void restart_system_calls() {
  struct sigaction action {};
  if (::sigaction(SIGCHLD, nullptr, &action) != 0) return;
  action.sa_flags |= SA_RESTART | SA_NOCLDSTOP;
  ::sigaction(SIGCHLD, &action, nullptr);
}

}  // namespace

struct AdoptedReaper::State : std::enable_shared_from_this<State> {
  State(Reactor& on, std::shared_ptr<ChildRegistry> known)
      : reactor(on), registry(std::move(known)), signals(io_context_of(on), SIGCHLD) {
    restart_system_calls();
  }

  void listen() {
    signals.async_wait([self = shared_from_this()](const boost::system::error_code& failed, int) {
      if (failed) return;
      self->listen();
      self->reap_all();
    });
  }

  void reap_all() {
    if (stopped) return;
    // Orphans are children of the main thread. On it the kernel names them one by one, and where all launches
    // are made by another thread, as in a host, it names nothing else.
    if (::gettid() == ::getpid()) {
      pid_t zombie = 0;
      while ((zombie = some_zombie(__WNOTHREAD)) != 0) {
        if (reap(zombie) != ChildRegistry::Standing::kUnowned) return reap_listed();
      }
      return;
    }
    if (some_zombie() != 0) reap_listed();
  }

  // Among those that somebody waits for.
  void reap_listed() {
    for (const Child& child : children_of_this_process()) {
      // A thread's own child is never an orphan, and that thread may be waiting for it.
      if (child.of_main_thread && reap(child.pid) == ChildRegistry::Standing::kUndecided) reap_when_settled();
    }
  }

  ChildRegistry::Standing reap(pid_t pid) {
    return registry->if_unowned(pid, [pid] {
      siginfo_t info{};
      // Orphans that live are left alone: this takes only what has ended.
      ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
    });
  }

  void reap_when_settled() {
    if (std::exchange(settling, true)) return;
    registry->when_settled([self = shared_from_this()] {
      self->reactor.post([self] {
        self->settling = false;
        self->reap_all();
      });
    });
  }

  Reactor& reactor;
  const std::shared_ptr<ChildRegistry> registry;
  boost::asio::signal_set signals;
  bool settling = false;
  bool stopped = false;
};

AdoptedReaper::AdoptedReaper(Reactor& reactor, std::shared_ptr<ChildRegistry> registry) try
    : state_(std::make_shared<State>(reactor, std::move(registry))) {
  state_->listen();
  // What ended before the handler was there sent its signal to nobody.
  reactor.post([state = state_] { state->reap_all(); });
} catch (...) {
  throw error_of_exception("the ends of children (SIGCHLD) cannot be watched", "start", Cause::kIo);
}

AdoptedReaper::~AdoptedReaper() {
  state_->stopped = true;
  boost::system::error_code ignored;
  state_->signals.cancel(ignored);
}

}  // namespace hostmesh
