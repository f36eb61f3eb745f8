#include "hostmesh/process/keeper.hpp"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>
#include <optional>
#include <utility>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/detail/proc_children.hpp"

namespace hostmesh {

namespace {

constexpr int kNotStarted = 127;
constexpr Duration kKillTime = std::chrono::seconds(10);

// What is passed on. Job control is left to the kernel, which does it for all of the foreground group.
sigset_t passed_on() {
  sigset_t set;
  ::sigfillset(&set);
  for (const int job_control : {SIGTSTP, SIGTTIN, SIGTTOU}) ::sigdelset(&set, job_control);
  for (const int crash : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT})
    ::sigdelset(&set, crash);
  return set;
}

// What a terminal sends to its whole foreground group, which the kept process belongs to. Not the hang-up,
// which goes to the leader of the session, nor what the kernel sends for a timer or a limit of this process.
bool is_of_terminal(const siginfo_t& signal) {
  return signal.si_code == SI_KERNEL &&
         (signal.si_signo == SIGINT || signal.si_signo == SIGQUIT || signal.si_signo == SIGWINCH);
}

[[noreturn]] void end_like(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) ::_exit(end.si_status);
  // The core, if there is one, is that of the kept process.
  const rlimit none{.rlim_cur = 0, .rlim_max = 0};
  ::setrlimit(RLIMIT_CORE, &none);
  std::signal(end.si_status, SIG_DFL);
  ::raise(end.si_status);
  sigset_t all;
  ::sigfillset(&all);
  ::sigprocmask(SIG_UNBLOCK, &all, nullptr);
  ::_exit(128 + end.si_status);
}

}  // namespace

void kill_all_children() {
  const Deadline end = Deadline::after(kKillTime);
  sigset_t child_ended;
  ::sigemptyset(&child_ended);
  ::sigaddset(&child_ended, SIGCHLD);
  std::optional<ChildSearch> search;
  pid_t last = 0;
  while (has_children()) {
    const std::vector<pid_t> found = detail::some_children(search);
    for (const pid_t child : found) ::kill(child, SIGKILL);  // unreaped, so the number is still its own
    while (::waitpid(-1, nullptr, WNOHANG | __WALL) > 0) {
    }
    if (!has_children()) return;
    if (end.passed()) {
      std::string pids;
      for (const pid_t child : found) pids += (pids.empty() ? "pid " : ", ") + std::to_string(child);
      std::fprintf(stderr, "hostmesh: processes that could not be killed in time: %s\n", pids.c_str());
      return;
    }
    // A search goes on to the next one, unless it comes back to one that does not die.
    if (search && !found.empty() && std::exchange(last, found.front()) != found.front()) continue;
    const timespec moment{.tv_sec = 0, .tv_nsec = 20'000'000};
    ::sigtimedwait(&child_ended, nullptr, &moment);
  }
}

Keeper::Keeper(Group group) : group_(group), awaited_(passed_on()) {
  ChildSearch::prepare();
  if (const auto made = become_subreaper(); !made) {
    std::fprintf(stderr, "hostmesh: %s\n", made.error().text().c_str());
  }
  ::sigprocmask(SIG_BLOCK, &awaited_, &former_);
  // Of a child whose end is ignored the kernel tells nobody.
  child_ended_ = std::signal(SIGCHLD, SIG_DFL);
}

Result<> Keeper::start(const char* file, char* const* argv, char* const* environment, int death_signal) {
  const pid_t keeper = ::getpid();
  volatile int error = 0;  // written by the child, which shares this memory until it executes the program
  kept_ = ::vfork();
  if (kept_ == 0) {
    if (group_ == Group::kApart) ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, death_signal);
    if (::getppid() != keeper) ::_exit(kNotStarted);
    if (child_ended_ == SIG_IGN) std::signal(SIGCHLD, SIG_IGN);
    // It may be the death signal, which has to arrive.
    if (death_signal == SIGCONT) std::signal(SIGCONT, SIG_DFL);
    ::sigprocmask(SIG_SETMASK, &former_, nullptr);
    ::execvpe(file, argv, environment);
    error = errno;
    ::_exit(kNotStarted);
  }
  if (kept_ < 0) return os_error(Cause::kResourceLimit, "cannot start " + std::string(file), errno);
  if (error != 0) return os_error(Cause::kSpawnFailed, "cannot start " + std::string(file), error);
  return {};
}

// Takes away what has ended. True when the kept process is among it.
bool Keeper::reap(siginfo_t& end) const {
  bool ended = false;
  for (;;) {
    siginfo_t info{};
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) != 0 || info.si_pid == 0) return ended;
    if (info.si_pid != kept_) continue;
    end = info;
    ended = true;
  }
}

void Keeper::keep() {
  siginfo_t end{};
  for (bool ended = false; !ended;) {
    siginfo_t signal{};
    if (::sigwaitinfo(&awaited_, &signal) < 0) continue;
    if (signal.si_signo == SIGCHLD) {
      ended = reap(end);
    } else if (group_ == Group::kApart || !is_of_terminal(signal)) {
      ::kill(kept_, signal.si_signo);
    }
  }
  kill_all_children();
  end_like(end);
}

}  // namespace hostmesh
