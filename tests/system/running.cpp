#include "system/running.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <thread>

namespace hostmesh::test {

namespace {

// What can be read of it: a process may end at any point.
std::string contents(const std::string& file) {
  std::string text;
  const UniqueFd in(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> chunk;
  for (ssize_t got = 0; in && (got = ::read(in.get(), chunk.data(), chunk.size())) > 0;) {
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return text;
}

int poll_timeout(Deadline deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
  return static_cast<int>(std::min<std::int64_t>(left, 1'000'000));
}

UniqueFd open_pidfd(pid_t pid) {
  return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) ADD_FAILURE() << "no pipe: errno " << errno;
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

Pipe make_terminal() {
  int master = -1;
  int slave = -1;
  if (::openpty(&master, &slave, nullptr, nullptr, nullptr) != 0)
    ADD_FAILURE() << "no terminal: errno " << errno;
  ::fcntl(master, F_SETFD, FD_CLOEXEC);
  ::fcntl(slave, F_SETFD, FD_CLOEXEC);
  return {UniqueFd(master), UniqueFd(slave)};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (std::string& text : texts) all.push_back(text.data());
  all.push_back(nullptr);
  return all;
}

}  // namespace

std::string command_line_of(pid_t pid) {
  std::string text = contents("/proc/" + std::to_string(pid) + "/cmdline");
  std::replace(text.begin(), text.end(), '\0', ' ');
  return text;
}

std::uint64_t status_number(pid_t pid, const std::string& field) {
  const std::string text = contents("/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = text.find("\n" + field + ":");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + field.size() + 2, nullptr, 10);
}

char state_of(pid_t pid) {
  const std::string text = contents("/proc/" + std::to_string(pid) + "/status");
  const std::size_t at = text.find("\nState:\t");
  return at == std::string::npos ? '\0' : text[at + 8];
}

bool becomes_true(const std::function<bool()>& goal, Duration within) {
  const Deadline deadline = Deadline::after(within);
  while (!goal()) {
    if (deadline.passed()) return false;
    std::this_thread::yield();
  }
  return true;
}

std::vector<pid_t> marked_processes(const std::string& mark) {
  std::vector<pid_t> found;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", failure)) {
    const std::string name = entry.path().filename().string();
    pid_t pid = 0;
    const auto [end, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || end != name.data() + name.size() || pid == ::getpid()) continue;
    const std::string folder = "/proc/" + name;
    if (contents(folder + "/environ").find(mark) != std::string::npos ||
        contents(folder + "/cmdline").find(mark) != std::string::npos) {
      found.push_back(pid);
    }
  }
  return found;
}

std::vector<pid_t> survivors(const std::string& mark, Duration within) {
  const Deadline deadline = Deadline::after(within);
  // A process has no readable environment for an instant of its exec: one look that finds nobody is no proof.
  int quiet = 0;
  while (quiet < 3) {
    const std::vector<pid_t> pids = marked_processes(mark);
    quiet = pids.empty() ? quiet + 1 : 0;
    if (pids.empty()) continue;
    if (deadline.passed()) return pids;
    const UniqueFd first = open_pidfd(pids.front());
    pollfd waiting{.fd = first.get(), .events = POLLIN, .revents = 0};
    if (first) (void)::poll(&waiting, 1, poll_timeout(deadline));
  }
  return {};
}

Running::Running(const StartOptions& options) {
  Pipe out = make_pipe();
  Pipe err = options.stderr_use == StartOptions::Stderr::kTerminal ? make_terminal() : make_pipe();

  std::vector<std::string> argv = options.argv;
  std::vector<std::string> environment;
  for (char** entry = ::environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    if (!options.environment.contains(text.substr(0, text.find('=')))) environment.push_back(text);
  }
  for (const auto& [name, value] : options.environment) environment.push_back(name + "=" + value);
  for (const std::string& entry : options.odd_entries) environment.push_back(entry);

  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&files, out.write.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&files, err.write.get(), STDERR_FILENO);
  if (!options.working_directory.empty()) {
    ::posix_spawn_file_actions_addchdir_np(&files, options.working_directory.c_str());
  }
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  const int failed = ::posix_spawnp(&pid_, argv.front().c_str(), &files, &attributes, pointers(argv).data(),
                                    pointers(environment).data());
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&files);
  if (failed != 0) {
    ADD_FAILURE() << "cannot start " << argv.front() << ": errno " << failed;
    pid_ = 0;
    ended_ = true;
    return;
  }
  pidfd_ = open_pidfd(pid_);
  out_pipe_ = std::move(out.read);
  err_pipe_ = std::move(err.read);
}

Running::~Running() {
  if (ended_ || !pidfd_) return;
  signal(SIGKILL);
  (void)await_end(std::chrono::seconds(5));
}

void Running::signal(int number) {
  if (pidfd_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void Running::insist(int first, int again) {
  signal(first);
  const Deadline deadline = Deadline::after(kHang);
  const auto has_ended = [this] { return ended_; };
  while (!read_until(has_ended, std::chrono::milliseconds(100)) && !deadline.passed()) signal(again);
}

bool Running::read_some(UniqueFd& pipe, std::string& into) {
  std::array<char, 1 << 16> chunk;
  const ssize_t got = ::read(pipe.get(), chunk.data(), chunk.size());
  if (got > 0) into.append(chunk.data(), static_cast<std::size_t>(got));
  if (got <= 0) pipe.reset();  // a terminal says EIO when its other end is gone
  return got > 0;
}

void Running::reap() {
  if (std::exchange(ended_, true)) return;
  int status = 0;
  ::waitpid(pid_, &status, 0);
  status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool Running::read_until(const std::function<bool()>& goal, Duration within) {
  const Deadline deadline = Deadline::after(within);
  while (!goal()) {
    std::array<pollfd, 3> waiting{
        pollfd{.fd = out_pipe_ ? out_pipe_.get() : -1, .events = POLLIN, .revents = 0},
        pollfd{.fd = err_pipe_ ? err_pipe_.get() : -1, .events = POLLIN, .revents = 0},
        pollfd{.fd = ended_ ? -1 : pidfd_.get(), .events = POLLIN, .revents = 0}};
    if (ended_ && !out_pipe_ && !err_pipe_) return false;
    if (::poll(waiting.data(), waiting.size(), poll_timeout(deadline)) <= 0) {
      if (deadline.passed()) return false;
      continue;
    }
    if (waiting[0].revents != 0) read_some(out_pipe_, out_);
    if (waiting[1].revents != 0) read_some(err_pipe_, err_);
    if (waiting[2].revents != 0) reap();
  }
  return true;
}

bool Running::finish(Duration within) {
  if (read_until([this] { return ended_ && !out_pipe_ && !err_pipe_; }, within)) return true;
  signal(SIGKILL);
  return false;
}

bool Running::await_end(Duration within) {
  if (!pidfd_) return false;
  pollfd waiting{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
  if (!ended_ && ::poll(&waiting, 1, poll_timeout(Deadline::after(within))) <= 0) return false;
  reap();
  return true;
}

std::string Running::read_out(std::size_t bytes) {
  std::string text(bytes, '\0');
  const ssize_t got = out_pipe_ ? ::read(out_pipe_.get(), text.data(), bytes) : 0;
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

}  // namespace hostmesh::test
