#include "hostmesh/conformance/leftovers.hpp"

#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <set>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh::conformance {

namespace {

void reap_the_dead() {
  while (::waitpid(-1, nullptr, WNOHANG | __WALL) > 0) {
  }
}

// Living or dead.
bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

std::string describe(pid_t pid) {
  std::string command = read_proc_file("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
  while (!command.empty() && command.back() == '\0') command.pop_back();
  std::replace(command.begin(), command.end(), '\0', ' ');
  return "pid " + std::to_string(pid) + " (" + (command.empty() ? "gone" : command) + ")";
}

// Waits until one of the children ends. Those that are handed to us meanwhile have a parent that ends.
void wait_for_a_death(const std::vector<Child>& children, Deadline deadline) {
  std::vector<UniqueFd> pidfds;
  std::vector<pollfd> polled;
  for (const Child& child : children) {
    pidfds.emplace_back(static_cast<int>(::syscall(SYS_pidfd_open, child.pid, 0)));
    polled.push_back({.fd = pidfds.back().get(), .events = POLLIN, .revents = 0});
  }
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining());
  ::poll(polled.data(), polled.size(), static_cast<int>(std::min<std::int64_t>(left.count(), 60'000)));
}

}  // namespace

std::vector<std::string> wait_for_leftovers(Deadline to_end, Deadline to_die) {
  std::set<pid_t> killed;
  std::vector<std::string> survivors;
  for (;;) {
    reap_the_dead();
    if (!has_children()) return survivors;
    const auto children = children_of_this_process();
    const bool killing = to_end.passed();
    if (killing) {
      for (const Child& child : children) {
        // Ours until we reap it, so the pid cannot be a stranger's.
        if (!killed.insert(child.pid).second) continue;
        survivors.push_back(describe(child.pid));
        ::kill(child.pid, SIGKILL);
      }
      if (to_die.passed()) return survivors;
    }
    wait_for_a_death(children, killing ? to_die : to_end);
  }
}

}  // namespace hostmesh::conformance
