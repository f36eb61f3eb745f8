#include "hostmesh/conformance/controller.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "hostmesh/conformance/leftovers.hpp"

namespace hostmesh::conformance {

namespace {

constexpr Duration kToEnd = std::chrono::seconds(3);

// True when there is something to read, or the other end is gone.
bool wait_readable(int fd, Deadline deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining());
    pollfd polled{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&polled, 1, static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000)));
    if (ready > 0) return true;
    if (ready == 0 && deadline.passed()) return false;
    if (ready < 0 && errno != EINTR) return false;
  }
}

[[noreturn]] void be_controller(Stage& stage, int told,
                                const std::function<void(Stage&, const Controller::Told&)>& work) {
  try {
    work(stage, [told] {
      const char done = 1;
      if (::write(told, &done, 1) != 1) ::_exit(1);
    });
  } catch (const Failure& failure) {
    stage.note("the controller expected: " + failure.expected + "; it saw: " + failure.seen);
  } catch (const std::exception& error) {
    stage.note(std::string("the controller failed: ") + error.what());
  }
  ::_exit(1);
}

}  // namespace

Controller::Controller(Stage& stage, const std::function<void(Stage&, const Told&)>& work) : stage_(stage) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) stage.fail("a pipe can be made", "none can");
  told_ = UniqueFd(ends[0]);
  UniqueFd tell(ends[1]);
  pid_ = ::fork();
  if (pid_ < 0) stage.fail("a process can be made", "none can");
  if (pid_ == 0) be_controller(stage, tell.get(), work);
}

Controller::~Controller() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Controller::kill(Duration later) {
  char done = 0;
  if (!wait_readable(told_.get(), stage_.deadline()) || ::read(told_.get(), &done, 1) != 1) {
    stage_.fail("a process that uses the plugin gets as far as it should", "it did not");
  }
  if (later > Duration::zero()) {  // nothing more comes, unless it ends
    wait_readable(told_.get(), stage_.within(later));
  }
  stage_.note("the controller, pid " + std::to_string(pid_) + ", is killed");
  const pid_t pid = std::exchange(pid_, 0);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
}

void Controller::wait_to_be_killed() {
  for (;;) ::pause();
}

void expect_nobody_left(Stage& stage) {
  const auto left = wait_for_leftovers(stage.within(kToEnd), stage.within(2 * kToEnd));
  for (const std::string& process : left) stage.note("left behind: " + process);
  stage.expect(left.empty(), "nothing that it started outlives it",
               std::to_string(left.size()) + " processes did: " + (left.empty() ? "" : left.front()));
}

}  // namespace hostmesh::conformance
