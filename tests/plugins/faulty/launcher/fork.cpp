#include "fork.hpp"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <string_view>

namespace faulty {

namespace {

struct Pipe {
  Descriptor read_end;
  Descriptor write_end;
};

// No descriptor of it is one of the standard three.
bool open_pipe(Pipe& opened) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  const Descriptor low_read(ends[0]);
  const Descriptor low_write(ends[1]);
  opened.read_end.reset(::fcntl(ends[0], F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  opened.write_end.reset(::fcntl(ends[1], F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
  return opened.read_end && opened.write_end;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

// The files that the command may be, in the order of the PATH that the child is given.
std::vector<std::string> candidates(const LaunchRequest& request) {
  const std::string& name = request.argv.front();
  if (name.find('/') != std::string::npos) return {name};
  std::string_view path = "/bin:/usr/bin";
  for (const std::string& entry : request.environment) {
    if (entry.starts_with("PATH=")) path = std::string_view(entry).substr(5);
  }
  std::vector<std::string> files;
  while (true) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    files.push_back((folder.empty() ? "." : std::string(folder)) + "/" + name);
    if (colon == std::string_view::npos) return files;
    path.remove_prefix(colon + 1);
  }
}

// All that the child needs, made before there is a child: it must not allocate.
struct Plan {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::vector<std::string> files;
  std::string working_directory;
  std::vector<char*> argv_pointers;
  std::vector<char*> environment_pointers;
  Setup setup;
  pid_t parent = ::getpid();
  Pipe in;
  Pipe out;
  Pipe err;
  Pipe failure;
};

enum class Step : int { kFolder, kExec };
struct Failed {
  Step step;
  int os_error;
};

[[noreturn]] void say_failed(const Plan& plan, Step step, int os_error) {
  const Failed failed{step, os_error};
  if (::write(plan.failure.write_end.get(), &failed, sizeof(failed)) < 0) ::_exit(126);
  ::_exit(127);
}

[[noreturn]] void become(const Plan& plan) {
  if (plan.setup.own_group) ::setpgid(0, 0);
  if (plan.setup.dies_with_host) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != plan.parent) ::_exit(127);
  }
  if (plan.setup.default_signals) {
    for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  }
  if (plan.setup.nothing_blocked) {
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }
  ::dup2(plan.in.read_end.get(), STDIN_FILENO);
  ::dup2(plan.out.write_end.get(), STDOUT_FILENO);
  ::dup2(plan.err.write_end.get(), STDERR_FILENO);
  if (plan.setup.only_its_descriptors) ::close_range(STDERR_FILENO + 1, ~0U, CLOSE_RANGE_CLOEXEC);
  if (!plan.working_directory.empty() && ::chdir(plan.working_directory.c_str()) != 0) {
    say_failed(plan, Step::kFolder, errno);
  }
  if (plan.setup.in_child != nullptr) plan.setup.in_child();
  int os_error = ENOENT;
  for (const std::string& file : plan.files) {
    ::execve(file.c_str(), plan.argv_pointers.data(), plan.environment_pointers.data());
    if (errno != ENOENT && errno != ENOTDIR) os_error = errno;
  }
  say_failed(plan, Step::kExec, os_error);
}

Started failure(const std::string& what, int os_error) {
  Started started;
  started.failure = what;
  started.os_error = os_error;
  return started;
}

}  // namespace

Started fork_child(const LaunchRequest& request, const Setup& setup) {
  if (request.argv.empty()) return failure("the command is empty", 0);
  Plan plan;
  plan.argv = request.argv;
  plan.environment = request.environment;
  plan.files = candidates(request);
  plan.working_directory = request.working_directory;
  plan.argv_pointers = pointers(plan.argv);
  plan.environment_pointers = pointers(plan.environment);
  plan.setup = setup;
  if (!open_pipe(plan.in) || !open_pipe(plan.out) || !open_pipe(plan.err) || !open_pipe(plan.failure)) {
    return failure("no pipes for " + request.argv.front(), errno);
  }
  const pid_t pid = ::fork();
  if (pid == 0) become(plan);
  if (pid < 0) return failure("no process for " + request.argv.front(), errno);
  plan.failure.write_end.reset();
  Failed failed{};
  ssize_t got = 0;
  do {
    got = ::read(plan.failure.read_end.get(), &failed, sizeof(failed));
  } while (got < 0 && errno == EINTR);
  if (got == sizeof(failed)) {
    ::waitpid(pid, nullptr, 0);
    return failed.step == Step::kFolder
               ? failure("no working directory " + request.working_directory, failed.os_error)
               : failure("it cannot execute " + request.argv.front(), failed.os_error);
  }
  Started started;
  started.child.pid = pid;
  started.child.pidfd.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  started.child.in = std::move(plan.in.write_end);
  started.child.out = std::move(plan.out.read_end);
  started.child.err = std::move(plan.err.read_end);
  for (const Descriptor* end : {&started.child.in, &started.child.out, &started.child.err}) {
    ::fcntl(end->get(), F_SETFL, ::fcntl(end->get(), F_GETFL) | O_NONBLOCK);
  }
  started.child.unwritten = request.stdin_payload;
  started.child.stdin_use = request.stdin_use;
  return started;
}

}  // namespace faulty
