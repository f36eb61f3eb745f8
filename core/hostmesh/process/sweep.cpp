#include "hostmesh/process/sweep.hpp"

#include <sys/wait.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <map>
#include <set>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/detail/pidfd.hpp"

namespace hostmesh {

namespace {

using boost::asio::posix::stream_descriptor;

// Who takes the dead child away.
enum class Reaper { kSweep, kOwner };

// Living or dead, of whichever thread.
bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

}  // namespace

// One round: list the children, kill those that are ours, wait for their pidfds. Each death makes another
// round due, because it may have handed us children; two looks that find nobody are the end.
struct Sweep::State : std::enable_shared_from_this<State> {
  struct Victim {
    Victim(boost::asio::io_context& context, Reaper who) : alarm(context), reaper(who) {}
    stream_descriptor alarm;
    Reaper reaper;
  };

  State(Reactor& on, std::shared_ptr<ChildRegistry> known, Ours wanted, Done finished)
      : reactor(on),
        registry(std::move(known)),
        ours(std::move(wanted)),
        done(std::move(finished)),
        timer(on) {}

  void schedule_round() {
    if (std::exchange(round_due, true)) return;
    reactor.post([self = shared_from_this()] {
      self->round_due = false;
      self->round();
    });
  }

  void round() {
    if (!done) return;
    // Most processes never had a child; nobody can be handed over to one below which there is nobody.
    if (!has_children()) return finish();
    constexpr int kLooksAtOnce = 8;
    // One quiet look is no proof: a listing may miss a child that is handed over while it is read.
    int quiet = 0;
    for (int look = 0; look < kLooksAtOnce && quiet < 2; ++look) {
      const std::size_t found = take_all();
      if (!victims.empty() || !undecided.empty()) return;  // their end makes the next round due
      quiet = found == 0 ? quiet + 1 : 0;
    }
    if (quiet < 2) return schedule_round();
    finish();
  }

  // How many it found that had to be killed or taken away.
  std::size_t take_all() {
    undecided.clear();
    unreachable.clear();
    std::size_t found = 0;
    for (const Child& child : children_of_this_process()) {
      if (!victims.contains(child.pid) && consider(child.pid)) ++found;
    }
    if (!undecided.empty() && !std::exchange(settling, true)) {
      registry->when_settled([self = shared_from_this()] {
        self->reactor.post([self] {
          self->settling = false;
          self->round();
        });
      });
    }
    return found;
  }

  bool consider(pid_t pid) {
    if (ours && !ours(pid)) return false;
    Reaper reaper = Reaper::kSweep;
    if (registry) {
      switch (registry->if_unowned(pid, [] {})) {
        case ChildRegistry::Standing::kUndecided:
          undecided.insert(pid);
          return false;
        case ChildRegistry::Standing::kOwned:
          reaper = Reaper::kOwner;
          break;
        case ChildRegistry::Standing::kUnowned:
          break;
      }
    }
    if (reaper == Reaper::kOwner && (!ours || left_to_owner.contains(pid))) return false;
    left_to_owner.erase(pid);
    return kill(pid, reaper);
  }

  bool kill(pid_t pid, Reaper reaper) {
    UniqueFd pidfd = detail::open_pidfd(pid);
    if (!pidfd) {
      if (errno == ESRCH) return false;  // gone meanwhile
      log::error("a descendant cannot be killed " + log::field("pid", std::to_string(pid)) + " " +
                 log::field("error", errno_text(errno)));
      unreachable.insert(pid);
      return false;
    }
    switch (detail::wait_child(pid, pidfd.get(), detail::Take::kLook).state) {
      // The number was a child's when it was listed, and is somebody else's now.
      case detail::Waited::State::kNotOurChild:
        return false;
      case detail::Waited::State::kDead:
        dead(pid, pidfd.get(), reaper);
        return true;
      case detail::Waited::State::kAlive:
        break;
    }
    if (const int error = detail::send_signal(pid, pidfd.get(), SIGKILL)) {
      log::warning("a descendant cannot be killed " + log::field("pid", std::to_string(pid)) + " " +
                   log::field("error", errno_text(error)));
    }
    return watch(pid, std::move(pidfd), reaper);
  }

  bool watch(pid_t pid, UniqueFd pidfd, Reaper reaper) {
    Victim& victim = victims.try_emplace(pid, io_context_of(reactor), reaper).first->second;
    boost::system::error_code failed;
    victim.alarm.assign(pidfd.get(), failed);
    if (failed) {
      victims.erase(pid);
      unreachable.insert(pid);
      return false;
    }
    static_cast<void>(pidfd.release());
    victim.alarm.async_wait(stream_descriptor::wait_read,
                            [self = shared_from_this(), pid](const boost::system::error_code& ended) {
                              if (!ended) self->ended(pid);
                            });
    return true;
  }

  void ended(pid_t pid) {
    const auto victim = victims.find(pid);
    if (!done || victim == victims.end()) return;
    dead(pid, victim->second.alarm.native_handle(), victim->second.reaper);
    victims.erase(victim);
    schedule_round();
  }

  void dead(pid_t pid, int pidfd, Reaper reaper) {
    if (reaper == Reaper::kOwner) {
      left_to_owner.insert(pid);
      return;
    }
    // Somebody else may have been faster: the result is the same.
    static_cast<void>(detail::wait_child(pid, pidfd, detail::Take::kReap));
  }

  void finish() {
    std::vector<pid_t> survivors(undecided.begin(), undecided.end());
    for (const auto& [pid, victim] : victims) survivors.push_back(pid);
    survivors.insert(survivors.end(), unreachable.begin(), unreachable.end());
    const Done call = std::exchange(done, nullptr);
    stop();
    call(std::move(survivors));
  }

  void stop() {
    done = nullptr;
    timer.cancel();
    victims.clear();
  }

  Reactor& reactor;
  const std::shared_ptr<ChildRegistry> registry;
  const Ours ours;
  Done done;  // empty when it is over
  Timer timer;
  std::map<pid_t, Victim> victims;
  std::set<pid_t> undecided;      // may be a child whose launch is under way
  std::set<pid_t> left_to_owner;  // dead, not reaped by their owner yet
  std::set<pid_t> unreachable;    // no descriptor was left to watch them
  bool round_due = false;
  bool settling = false;
};

Sweep::Sweep(Reactor& reactor, std::shared_ptr<ChildRegistry> registry, Ours ours, Deadline deadline,
             Done done)
    : state_(std::make_shared<State>(reactor, std::move(registry), std::move(ours), std::move(done))) {
  state_->timer.at(deadline, [state = std::weak_ptr<State>(state_)] {
    if (const auto alive = state.lock(); alive && alive->done) alive->finish();
  });
  state_->schedule_round();
}

Sweep::~Sweep() {
  state_->stop();
}

}  // namespace hostmesh
