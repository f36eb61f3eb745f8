#include "hostmesh/process/orphan_reaper.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <map>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/detail/pidfd.hpp"

namespace hostmesh {

using boost::asio::posix::stream_descriptor;

struct OrphanReaper::State : std::enable_shared_from_this<OrphanReaper::State> {
  State(Reactor& on, std::shared_ptr<ChildRegistry> known, IsMarked marked)
      : reactor(on), registry(std::move(known)), is_marked(std::move(marked)) {}

  void look() {
    if (is_closed) return;
    const pid_t session = ::getsid(0);
    for (const Child& child : children_of_this_process()) {
      if (!child.of_main_thread || watched.contains(child.pid) || registry->owns(child.pid)) continue;
      const auto stat = read_process_stat(child.pid);
      if (!stat) continue;
      const bool is_in_foreign_session = stat->session != session && stat->session != child.pid;
      if (stat->state == 'Z') {
        if (is_in_foreign_session) reap(child.pid);
      } else if (is_in_foreign_session || is_marked(child.pid)) {
        watch(child.pid);
      }
    }
  }

  void reap(pid_t pid) const {
    registry->if_unowned(pid, [pid] {
      siginfo_t info{};
      ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG);
    });
  }

  void watch(pid_t pid) {
    UniqueFd pidfd = detail::open_pidfd(pid);
    if (!pidfd) return;
    const auto at = watched.try_emplace(pid, io_context_of(reactor)).first;
    boost::system::error_code failed;
    at->second.assign(pidfd.get(), failed);
    if (failed) {
      watched.erase(at);
      return;
    }
    static_cast<void>(pidfd.release());
    at->second.async_wait(stream_descriptor::wait_read,
                          [weak = weak_from_this(), pid](const boost::system::error_code& cancelled) {
                            const auto self = weak.lock();
                            if (cancelled || !self || self->is_closed) return;
                            self->watched.erase(pid);
                            self->reap(pid);
                            self->look();  // what it leaves
                          });
  }

  Reactor& reactor;
  const std::shared_ptr<ChildRegistry> registry;
  const IsMarked is_marked;
  std::map<pid_t, stream_descriptor> watched;
  bool is_due = false;
  bool is_closed = false;
};

OrphanReaper::OrphanReaper(Reactor& reactor, std::shared_ptr<ChildRegistry> registry, IsMarked is_marked)
    : state_(std::make_shared<State>(reactor, std::move(registry), std::move(is_marked))) {}

OrphanReaper::~OrphanReaper() {
  state_->is_closed = true;
  state_->watched.clear();
}

void OrphanReaper::look() {
  if (std::exchange(state_->is_due, true)) return;
  state_->reactor.post([state = state_] {
    state->is_due = false;
    state->look();
  });
}

}  // namespace hostmesh
