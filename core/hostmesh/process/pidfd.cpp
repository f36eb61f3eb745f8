#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>
#include <thread>

#include "hostmesh/base/thread.hpp"
#include "hostmesh/process/detail/close_descriptors.hpp"
#include "hostmesh/process/detail/pidfd.hpp"

// glibc 2.36 declares these without C linkage.
extern "C" {
#include <sys/pidfd.h>
}

namespace hostmesh::detail {

namespace {

// The same for a descriptor that may not be a pidfd, and for a kernel that does not know P_PIDFD.
bool is_refused(int error) {
  return is_refused_call(error) || error == EINVAL || error == EBADF;
}

// A descriptor that becomes readable when the child has ended, and needs no pidfd: a thread waits for it.
UniqueFd watch_by_thread(pid_t pid) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return UniqueFd();
  UniqueFd readable(ends[0]);
  const int told = ends[1];
  auto started = start_thread("hm-watch", [pid, told] {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | __WALL) != 0 &&
           errno == EINTR) {
    }
    // Said by a byte, because a process that is being started may hold the pipe open as well.
    (void)!::write(told, "", 1);
    ::close(told);
  });
  if (started) {
    started->detach();
    return readable;
  }
  ::close(told);
  readable.reset();
  errno = EAGAIN;
  return UniqueFd();
}

Waited waited(idtype_t type, id_t id, Take take) {
  siginfo_t info{};
  const int options = WEXITED | WNOHANG | __WALL | (take == Take::kLook ? WNOWAIT : 0);
  if (::waitid(type, id, &info, options) != 0) return {.state = Waited::State::kNotOurChild, .status = {}};
  if (info.si_pid == 0) return {};
  return {.state = Waited::State::kDead, .status = ExitStatus::from_wait(info.si_code, info.si_status)};
}

}  // namespace

UniqueFd open_pidfd(pid_t pid) {
  UniqueFd pidfd(::pidfd_open(pid, 0));
  if (pidfd || !is_refused_call(errno)) return pidfd;
  return watch_by_thread(pid);
}

int send_signal(pid_t pid, int pidfd, int signal) {
  if (::pidfd_send_signal(pidfd, signal, nullptr, 0) == 0 || errno == ESRCH) return 0;
  const int error = errno;
  if (!is_refused(error)) return error;
  // As long as it is not reaped, its number is nobody else's.
  if (waited(P_PID, static_cast<id_t>(pid), Take::kLook).state == Waited::State::kNotOurChild) return error;
  if (::kill(pid, signal) == 0 || errno == ESRCH) return 0;
  return errno;
}

int send_group_signal(pid_t leader, int signal) {
  if (leader <= 1) return EINVAL;  // to kill(2) these mean our own group, or everybody
  if (::kill(-leader, signal) == 0) return 0;
  // One that was forked a moment ago may not have made its group yet.
  if (errno == ESRCH && ::kill(leader, signal) == 0) return 0;
  return errno == ESRCH ? 0 : errno;
}

Waited wait_child(pid_t pid, int pidfd, Take take) {
  const Waited by_pidfd = waited(P_PIDFD, static_cast<id_t>(pidfd), take);
  if (by_pidfd.state != Waited::State::kNotOurChild) return by_pidfd;
  // A pidfd that is non-blocking answers EAGAIN for a live child.
  if (errno == EAGAIN) return {};
  return is_refused(errno) ? waited(P_PID, static_cast<id_t>(pid), take) : by_pidfd;
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
