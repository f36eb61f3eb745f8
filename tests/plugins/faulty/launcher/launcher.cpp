#include "launcher.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <utility>

#include "fork.hpp"

namespace faulty {

PipeLauncher::PipeLauncher(const Host& host, std::unique_ptr<Steps> steps)
    : host_(host), steps_(std::move(steps)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw std::system_error(errno, std::system_category(), "no descriptor to wake the launcher");
  thread_ = std::thread([this] { run(); });
}

PipeLauncher::~PipeLauncher() {
  post([this] { closing_ = true; });
  thread_.join();
  steps_->destroyed(host_);
}

void PipeLauncher::launch(const LaunchRequest& request) {
  steps_->accept(host_, request);
  post([this, request] { start(request); });
}

void PipeLauncher::signal(LaunchId id, int signal_number) {
  if (!steps_->takes_signal(id)) return;
  post([this, id, signal_number] {
    if (children_.contains(id)) return steps_->send_signal(children_, id, signal_number);
    steps_->signal_ended(id, signal_number);
  });
}

void PipeLauncher::close_stdin(LaunchId id) {
  post([this, id] {
    if (const auto found = children_.find(id); found != children_.end()) steps_->close_stdin(found->second);
  });
}

void PipeLauncher::pause(LaunchId id, bool paused) {
  post([this, id, paused] {
    if (const auto found = children_.find(id); found != children_.end()) found->second.paused = paused;
  });
}

void PipeLauncher::post(std::function<void()> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  ::eventfd_write(wake_.get(), 1);
}

void PipeLauncher::run() {
  // A child that does not read its stdin is no reason to die.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
  while (!closing_) wait_and_handle();
  steps_->kill_all(children_);
}

void PipeLauncher::run_tasks() {
  eventfd_t count = 0;
  ::eventfd_read(wake_.get(), &count);
  std::deque<std::function<void()>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task();
}

void PipeLauncher::wait_and_handle() {
  constexpr std::size_t kOfChild = 4;
  std::vector<pollfd> polled = {{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
  std::vector<LaunchId> ids;
  const auto add = [&](int fd, short events) { polled.push_back({fd, events, 0}); };
  for (const auto& [id, child] : children_) {
    ids.push_back(id);
    add(child.pidfd.get(), POLLIN);
    add(child.unwritten.empty() ? -1 : child.in.get(), POLLOUT);
    add(child.paused ? -1 : child.out.get(), POLLIN);
    add(child.paused ? -1 : child.err.get(), POLLIN);
  }
  if (::poll(polled.data(), polled.size(), -1) < 0) return;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto happened = [&](std::size_t which) { return polled[1 + i * kOfChild + which].revents != 0; };
    Child& child = children_.at(ids[i]);
    if (happened(1)) write_payload(child);
    if (happened(2)) read(ids[i], child.out, Stream::kStdout);
    if (happened(3)) read(ids[i], child.err, Stream::kStderr);
    if (happened(0)) end(ids[i]);
  }
  if (polled.front().revents != 0) run_tasks();
}

void PipeLauncher::start(LaunchRequest request) {
  Setup setup;
  steps_->prepare(host_, request, setup);
  Started started = fork_child(request, setup);
  if (!started.failure.empty()) {
    return steps_->tell_failed(host_, request.id, started.failure, started.os_error);
  }
  Child& child = children_.emplace(request.id, std::move(started.child)).first->second;
  steps_->tell_launched(host_, request.id, child.pid);
  if (child.unwritten.empty()) steps_->payload_written(child);
}

void PipeLauncher::write_payload(Child& child) {
  const ssize_t written = ::write(child.in.get(), child.unwritten.data(), child.unwritten.size());
  if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (written < 0) return child.unwritten.clear();
  child.unwritten.erase(child.unwritten.begin(), child.unwritten.begin() + written);
  if (child.unwritten.empty()) steps_->payload_written(child);
}

void PipeLauncher::read(LaunchId id, Descriptor& from, Stream stream) {
  std::array<std::uint8_t, 65536> bytes;
  const ssize_t got = ::read(from.get(), bytes.data(), bytes.size());
  if (got > 0) {
    steps_->tell_output(host_, id, stream, {bytes.data(), static_cast<std::size_t>(got)});
  } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
    from.reset();
  }
}

void PipeLauncher::end(LaunchId id) {
  Child child = std::move(children_.at(id));
  children_.erase(id);
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(child.pid), &info, WEXITED | WNOWAIT) != 0) {
    return host_.failed(id, hostmesh::plugin::Cause::kPeerGone, "somebody else has waited for it", errno);
  }
  // Whoever is left of its group; while it is not reaped the group's number is nobody else's.
  ::kill(-child.pid, SIGKILL);
  steps_->read_the_rest(host_, id, child);
  steps_->reap(child);
  steps_->tell_end(host_, id,
                   {.by_signal = info.si_code != CLD_EXITED,
                    .value = info.si_status,
                    .core_dumped = info.si_code == CLD_DUMPED});
}

}  // namespace faulty
