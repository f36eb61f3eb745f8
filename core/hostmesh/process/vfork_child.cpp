#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "hostmesh/process/detail/vfork_child.hpp"

namespace hostmesh::detail {

namespace {

HOSTMESH_VFORK_CHILD bool move_descriptors(ChildPlan& plan) {
  // First everything out of the way of every target, so that no order of moves can destroy a source.
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    DescriptorMove& move = plan.moves[i];
    if (move.source > plan.highest_target) continue;
    const long moved = ::syscall(SYS_fcntl, move.source, F_DUPFD_CLOEXEC, plan.highest_target + 1);
    if (moved < 0) return false;
    move.source = static_cast<int>(moved);
  }
  for (std::size_t i = 0; i < plan.move_count; ++i) {
    if (::syscall(SYS_dup3, plan.moves[i].source, plan.moves[i].target, 0) < 0) return false;
  }
  return true;
}

// Ignored signals would stay ignored across exec, and blocked ones blocked.
HOSTMESH_VFORK_CHILD bool reset_signals() {
  constexpr int kSignals = 64;
  constexpr unsigned long kMaskBytes = kSignals / 8;
  // The kernel's sigaction: handler, flags, restorer, mask; all zero is the default action.
  unsigned long default_action[4] = {0, 0, 0, 0};
  for (int signal = 1; signal <= kSignals; ++signal) {
    if (signal == SIGKILL || signal == SIGSTOP) continue;
    if (::syscall(SYS_rt_sigaction, signal, default_action, nullptr, kMaskBytes) < 0) return false;
  }
  const unsigned long empty_mask = 0;
  return ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &empty_mask, nullptr, kMaskBytes) == 0;
}

// As a shell searches: a file that is missing or may not be run does not end the search, but EACCES is
// remembered.
HOSTMESH_VFORK_CHILD int run_program(const ChildPlan& plan) {
  int remembered = 0;
  int error = ENOENT;
  for (std::size_t i = 0; i < plan.file_count; ++i) {
    ::syscall(SYS_execve, plan.files[i], plan.argv, plan.environment);
    error = errno;
    if (error == EACCES) remembered = error;
    if (error != EACCES && error != ENOENT && error != ENOTDIR && error != ESTALE && error != ENODEV)
      return error;
  }
  return remembered != 0 ? remembered : error;
}

HOSTMESH_VFORK_CHILD LaunchStep prepare(ChildPlan& plan) {
  // Until this has succeeded the table of descriptors is the parent's own, so it comes first; what lies above
  // is not even copied, which is what makes a launch from a process with thousands of descriptors cheap.
  if (!plan.own_descriptors && ::syscall(SYS_close_range, static_cast<unsigned>(plan.highest_source) + 1, ~0U,
                                         CLOSE_RANGE_UNSHARE) < 0) {
    return LaunchStep::kUnshareDescriptors;
  }
  if (!move_descriptors(plan)) return LaunchStep::kMoveDescriptors;
  if (!close_ranges(plan.closed, plan.closed_count)) return LaunchStep::kCloseDescriptors;
  if (plan.own_group && ::syscall(SYS_setsid) < 0) return LaunchStep::kProcessGroup;
  if (plan.parent_death_signal != 0) {
    if (::syscall(SYS_prctl, PR_SET_PDEATHSIG, plan.parent_death_signal, 0, 0, 0) < 0) {
      return LaunchStep::kParentDeathSignal;
    }
    // Had the parent died before that call, no signal would ever come.
    if (::syscall(SYS_getppid) != plan.parent) {
      errno = ESRCH;
      return LaunchStep::kParentGone;
    }
  }
  if (!reset_signals()) return LaunchStep::kSignals;
  if (plan.working_directory != nullptr && ::syscall(SYS_chdir, plan.working_directory) < 0) {
    if (!plan.may_stay) return LaunchStep::kWorkingDirectory;
    plan.stayed = errno;
  }
  if (plan.descriptor_limit != nullptr &&
      ::syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, plan.descriptor_limit, nullptr) < 0) {
    return LaunchStep::kDescriptorLimit;
  }
  return LaunchStep::kNone;
}

}  // namespace

HOSTMESH_VFORK_CHILD int run_vfork_child(void* plan) {
  ChildPlan& child = *static_cast<ChildPlan*>(plan);
  child.failed = prepare(child);
  if (child.failed != LaunchStep::kNone) {
    child.error = errno;
  } else {
    child.error = run_program(child);
    child.failed = LaunchStep::kExec;
  }
  for (;;) ::syscall(SYS_exit_group, 127);
}

}  // namespace hostmesh::detail
