// What can be done with a pidfd: signal, wait, ask. For the .cpp files of process/.
//
// Old kernels and the seccomp profiles of older containers refuse some of these calls, or all. Each then does
// by pid what it would do by pidfd. That is as safe for a child that has not been reaped, because its number
// is nobody else's, so each is given the pid as well and asks first whether it is such a child.
#pragma once

#include <sys/types.h>

#include <optional>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/process/exit_status.hpp"

namespace hostmesh::detail {

// Returns a descriptor that becomes readable when the child has ended: its pidfd, or where there are none a
// pipe to which a thread writes that has waited for the child. Empty with errno set when it cannot be had.
// The pid may already be a stranger's: check with wait_child.
UniqueFd open_pidfd(pid_t pid);
// 0, or errno. A process that is gone counts as reached.
int send_signal(pid_t pid, int pidfd, int signal);
// The same for the process group of an unreaped leader, or for the leader alone while it has not made its
// group.
int send_group_signal(pid_t leader, int signal);

enum class Take { kReap, kLook };

struct Waited {
  enum class State { kAlive, kDead, kNotOurChild } state = State::kAlive;
  ExitStatus status;  // with kDead
};
// Never blocks.
Waited wait_child(pid_t pid, int pidfd, Take take);

// Until the process has ended or the duration is over; false in the latter case. Blocks.
bool wait_dead(int pidfd, Duration at_most);

}  // namespace hostmesh::detail
