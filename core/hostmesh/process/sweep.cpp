#include "hostmesh/process/sweep.hpp"

#include <sys/wait.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <ranges>
#include <set>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/detail/proc_children.hpp"

namespace hostmesh {

namespace {

using boost::asio::posix::stream_descriptor;

// Who takes the dead child away.
enum class Reaper { kSweep, kOwner };

// Of a child that cannot be watched, for want of a descriptor.
constexpr Duration kLookAgain = std::chrono::milliseconds(20);

}  // namespace

// One round: list the children, kill those that are ours, wait for their pidfds. Each death makes another
// round due, because it may have handed us children.
//
//   no children at all                                  -> the end
//   some were killed, or may be of a launch under way   -> their end, or the launch's, makes the next round
//   some that cannot be watched                         -> the next round, a moment later
//   none that has to go, in two looks at all children   -> the end
//   children, but none of them can be seen              -> the search by number; the next round, a moment
//   later
struct Sweep::State : std::enable_shared_from_this<State> {
  struct Victim {
    Victim(boost::asio::io_context& context, Reaper who) : alarm(context), reaper(who) {}
    stream_descriptor alarm;
    Reaper reaper;
  };

  State(Reactor& on, std::shared_ptr<ChildRegistry> known, Ours wanted, Done finished, Names which)
      : reactor(on),
        registry(std::move(known)),
        ours(std::move(wanted)),
        done(std::move(finished)),
        names(which),
        timer(on),
        again(on) {}

  void schedule_round() {
    if (std::exchange(round_due, true)) return;
    reactor.post([self = shared_from_this()] {
      self->round_due = false;
      self->round();
    });
  }

  void look_again() {
    again.after(kLookAgain, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->round();
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
      if (found > 0 && !has_children()) return finish();
      if (search && !unwatched.empty()) return schedule_round();
      if (!unwatched.empty()) return look_again();
      quiet = found == 0 ? quiet + 1 : 0;
    }
    if (quiet < 2) return schedule_round();
    if (search && !search->has_come_round()) return schedule_round();
    if (search || seen > 0 || !has_children()) return finish();
    search.emplace();
    look_again();
  }

  // Returns how many it found that had to be killed or taken away.
  std::size_t take_all() {
    undecided.clear();
    unwatched.clear();
    const std::vector<pid_t> pids = detail::some_children(search);
    seen = pids.size();
    std::size_t found = 0;
    for (const pid_t pid : pids) {
      if (!victims.contains(pid) && consider(pid)) ++found;
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
    if (!pidfd) return errno != ESRCH && kill_by_number(pid, reaper);
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
    note(pid, reaper, detail::send_signal(pid, pidfd.get(), SIGKILL));
    watch(pid, std::move(pidfd), reaper);
    return true;
  }

  // A child that has not been reaped keeps its number.
  bool kill_by_number(pid_t pid, Reaper reaper) {
    siginfo_t info{};
    constexpr int kLook = WEXITED | WNOHANG | __WALL;
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, kLook | WNOWAIT) != 0) return false;
    if (info.si_pid == 0) {
      note(pid, reaper, ::kill(pid, SIGKILL) == 0 || errno == ESRCH ? 0 : errno);
      unwatched.insert(pid);
    } else if (reaper == Reaper::kOwner) {
      left_to_owner.insert(pid);
    } else {
      ::waitid(P_PID, static_cast<id_t>(pid), &info, kLook);
    }
    return true;
  }

  // Remembers that it was sent KILL, once, and says so when that was in vain. What has an owner was not left.
  void note(pid_t pid, Reaper reaper, int error) {
    if (!noted.insert(pid).second) return;
    if (names == Names::kKeep && reaper == Reaper::kSweep) {
      const auto stat = read_process_stat(pid);
      killed.push_back(stat ? stat->name : "pid " + std::to_string(pid));
    }
    if (error == 0) return;
    log::warning("a descendant cannot be killed " + log::field("pid", std::to_string(pid)) + " " +
                 log::field("error", errno_text(error)));
  }

  void watch(pid_t pid, UniqueFd pidfd, Reaper reaper) {
    Victim& victim = victims.try_emplace(pid, io_context_of(reactor), reaper).first->second;
    boost::system::error_code failed;
    victim.alarm.assign(pidfd.get(), failed);
    if (failed) {
      victims.erase(pid);
      unwatched.insert(pid);
      return;
    }
    static_cast<void>(pidfd.release());
    victim.alarm.async_wait(stream_descriptor::wait_read,
                            [self = shared_from_this(), pid](const boost::system::error_code& ended) {
                              if (!ended) self->ended(pid);
                            });
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
    Swept swept{.killed = std::move(killed)};
    // Some of the last look may have been taken away by their owner meanwhile.
    const auto survives = [&](pid_t pid) {
      if (is_child_of_this_process(pid)) swept.survivors.push_back(pid);
    };
    std::ranges::for_each(undecided, survives);
    std::ranges::for_each(std::views::keys(victims), survives);
    std::ranges::for_each(unwatched, survives);
    swept.has_unseen = seen == 0 && swept.survivors.empty() && has_children();
    const Done call = std::exchange(done, nullptr);
    stop();
    call(swept);
  }

  void stop() {
    done = nullptr;
    timer.cancel();
    again.cancel();
    victims.clear();
  }

  Reactor& reactor;
  const std::shared_ptr<ChildRegistry> registry;
  const Ours ours;
  Done done;  // empty when it is over
  const Names names;
  Timer timer;
  Timer again;
  std::size_t seen = 0;               // children, in the last look
  std::optional<ChildSearch> search;  // once none can be seen otherwise
  std::map<pid_t, Victim> victims;
  std::set<pid_t> undecided;      // may be a child whose launch is under way
  std::set<pid_t> left_to_owner;  // dead, not reaped by their owner yet
  std::set<pid_t> unwatched;      // killed, and no descriptor was left to watch them
  std::set<pid_t> noted;          // have been sent KILL
  std::vector<std::string> killed;
  bool round_due = false;
  bool settling = false;
};

Sweep::Sweep(Reactor& reactor, std::shared_ptr<ChildRegistry> registry, Ours ours, Deadline deadline,
             Done done, Names names)
    : state_(std::make_shared<State>(reactor, std::move(registry), std::move(ours), std::move(done), names)) {
  state_->timer.at(deadline, [state = std::weak_ptr<State>(state_)] {
    if (const auto alive = state.lock(); alive && alive->done) alive->finish();
  });
  state_->schedule_round();
}

Sweep::~Sweep() {
  state_->stop();
}

}  // namespace hostmesh
