#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

#include "hostmesh/process/detail/pidfd.hpp"

// glibc 2.36 declares these without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

namespace hostmesh::detail {

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(::pidfd_open(pid, 0));
}

int send_signal(int pidfd, int signal) {
  if (::pidfd_send_signal(pidfd, signal, nullptr, 0) == 0 || errno == ESRCH) return 0;
  return errno;
}

int send_group_signal(pid_t leader, int signal) {
  if (::kill(-leader, signal) == 0 || errno == ESRCH) return 0;
  return errno;
}

Waited wait_child(int pidfd, Take take) {
  siginfo_t info{};
  const int options = WEXITED | WNOHANG | (take == Take::kLook ? WNOWAIT : 0);
  if (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, options) != 0) {
    // A pidfd that is non-blocking answers EAGAIN for a live child.
    if (errno == EAGAIN) return {};
    return {.state = Waited::State::kNotOurChild, .status = {}};
  }
  if (info.si_pid == 0) return {};
  return {.state = Waited::State::kDead, .status = ExitStatus::from_wait(info.si_code, info.si_status)};
}

bool wait_dead(int pidfd, Duration at_most) {
  const Deadline deadline = Deadline::after(at_most);
  for (;;) {
    pollfd wanted{.fd = pidfd, .events = POLLIN, .revents = 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining());
    const int ready = ::poll(&wanted, 1, static_cast<int>(left.count()));
    if (ready > 0) return true;
    if (ready == 0 || errno != EINTR) return false;
  }
}

}  // namespace hostmesh::detail
