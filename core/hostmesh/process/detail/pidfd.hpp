// What can be done with a pidfd: signal, wait, ask. For the .cpp files of process/.
#pragma once

#include <sys/types.h>

#include <optional>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/process/exit_status.hpp"

namespace hostmesh::detail {

// Empty with errno set when it cannot be had. The pid may already be a stranger's: check with wait_child.
UniqueFd open_pidfd(pid_t pid);
// 0, or errno. A process that is gone counts as reached.
int send_signal(int pidfd, int signal);
// The same for the process group of an unreaped leader.
int send_group_signal(pid_t leader, int signal);

enum class Take { kReap, kLook };

struct Waited {
  enum class State { kAlive, kDead, kNotOurChild } state = State::kAlive;
  ExitStatus status;  // with kDead
};
// Never blocks.
Waited wait_child(int pidfd, Take take);

// Until the process has ended or the duration is over; false in the latter case. Blocks.
bool wait_dead(int pidfd, Duration at_most);

}  // namespace hostmesh::detail
