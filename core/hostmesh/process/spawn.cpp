#include "hostmesh/process/spawn.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <set>
#include <utility>

#include "hostmesh/base/fault.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/detail/launch_pad.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/detail/spawn_error.hpp"
#include "hostmesh/process/detail/vfork_child.hpp"

#if defined(__SANITIZE_THREAD__)
// The thread sanitizer takes clone() for a fork and changes its own state in the child, which here is the
// parent's. It does not know this other name of the same function.
extern "C" int __clone(int (*)(void*), void*, int, void*, ...);
#define HOSTMESH_CLONE ::__clone
#else
#define HOSTMESH_CLONE ::clone
#endif

namespace hostmesh {

namespace {

using detail::ChildPlan;
using detail::LaunchStep;

bool has_nul(const std::string& text) {
  return text.find('\0') != std::string::npos;
}

// What is wrong with the request, or nothing.
std::optional<std::string> objection(const SpawnRequest& request) {
  if (request.argv.empty() || request.argv.front().empty()) return "the command is empty";
  if (std::any_of(request.argv.begin(), request.argv.end(), has_nul))
    return "an argument contains a NUL byte";
  if (has_nul(request.working_directory)) return "the working directory contains a NUL byte";
  for (const std::string& variable : request.environment) {
    // Never the variable itself: its value may be a secret.
    if (has_nul(variable)) return "an environment variable contains a NUL byte";
    const std::size_t equals = variable.find('=');
    if (equals == 0 || equals == std::string::npos)
      return "an environment variable is not of the form NAME=value";
  }
  const bool socket = request.stdin_mode == StdioMode::kSocket;
  if (socket != (request.stdout_mode == StdioMode::kSocket) || request.stderr_mode == StdioMode::kSocket)
    return "a socket is for stdin and stdout together";
  if (request.stdin_mode == StdioMode::kStdout || request.stdout_mode == StdioMode::kStdout ||
      (socket && request.stderr_mode == StdioMode::kStdout))
    return "only stderr can be what stdout is, and not where that is a socket";
  std::set<int> numbers;
  for (const PassedFd& passed : request.passed) {
    const std::string name =
        "descriptor " + std::to_string(passed.fd) + " passed as " + std::to_string(passed.number);
    if (passed.number < 3) return name + ": 0, 1 and 2 are the standard streams";
    if (!numbers.insert(passed.number).second) return name + ": that number is given twice";
    if (::fcntl(passed.fd, F_GETFD) < 0) return name + " is not open";
  }
  if (request.parent_death_signal &&
      (*request.parent_death_signal < 1 || *request.parent_death_signal > SIGRTMAX)) {
    return "there is no signal " + std::to_string(*request.parent_death_signal);
  }
  return std::nullopt;
}

// The files that argv[0] may stand for, in the order in which they are tried.
std::vector<std::string> candidates(const SpawnRequest& request) {
  const std::string& program = request.argv.front();
  if (program.find('/') != std::string::npos) return {program};
  std::string_view path = "/bin:/usr/bin";
  for (const std::string_view variable : request.environment) {
    if (!variable.starts_with("PATH=")) continue;
    path = variable.substr(5);
    break;
  }
  std::vector<std::string> files;
  for (;;) {
    const std::size_t colon = path.find(':');
    const std::string_view folder = path.substr(0, colon);
    // An empty element means the working directory.
    files.push_back(folder.empty() ? "./" + program : std::string(folder) + "/" + program);
    if (colon == std::string_view::npos) return files;
    path.remove_prefix(colon + 1);
  }
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

// All descriptors but the targets of `moves`, as ranges.
std::vector<detail::DescriptorRange> all_but(const std::vector<detail::DescriptorMove>& moves) {
  std::set<unsigned> kept;
  for (const auto& move : moves) kept.insert(static_cast<unsigned>(move.target));
  std::vector<detail::DescriptorRange> ranges;
  unsigned next = 0;
  for (const unsigned target : kept) {
    if (target > next) ranges.push_back({next, target - 1});
    next = target + 1;
  }
  ranges.push_back({next, ~0U});
  return ranges;
}

std::string step_text(LaunchStep step, const SpawnRequest& request) {
  switch (step) {
    case LaunchStep::kNone:
      break;
    case LaunchStep::kUnshareDescriptors:
      return "close_range, which gives the child descriptors of its own,";
    case LaunchStep::kMoveDescriptors:
      return "handing descriptors to the child";
    case LaunchStep::kCloseDescriptors:
      return "closing the parent's descriptors in the child";
    case LaunchStep::kProcessGroup:
      return "setsid";
    case LaunchStep::kParentDeathSignal:
      return "prctl PR_SET_PDEATHSIG";
    case LaunchStep::kParentGone:
      return "waiting for the parent, which died meanwhile,";
    case LaunchStep::kSignals:
      return "resetting signals";
    case LaunchStep::kWorkingDirectory:
      return "chdir to '" + request.working_directory + "'";
    case LaunchStep::kDescriptorLimit:
      return "setting the limit on descriptors to " + std::to_string(request.restore_nofile.value_or(0));
    case LaunchStep::kExec:
      return "exec";
  }
  return "an unknown step";
}

std::string step_hint(LaunchStep step, const SpawnRequest& request, int error_number) {
  switch (step) {
    case LaunchStep::kExec:
      return detail::exec_hint(request, error_number);
    case LaunchStep::kWorkingDirectory:
      return "the working directory must exist and be open to this user";
    case LaunchStep::kMoveDescriptors:
      return "the numbers given to passed descriptors must be below ulimit -n";
    default:
      return {};
  }
}

// No handler of the parent may run in the child, which shares its memory.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &former_);
  }
  ~AllSignalsBlocked() { ::pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t former_{};
};

class RegisteredLaunch {
 public:
  explicit RegisteredLaunch(ChildRegistry* registry) : registry_(registry) {
    if (registry_ != nullptr) registry_->begin_launch();
  }
  ~RegisteredLaunch() {
    if (registry_ != nullptr) registry_->end_launch(pid_);
  }
  RegisteredLaunch(const RegisteredLaunch&) = delete;
  RegisteredLaunch& operator=(const RegisteredLaunch&) = delete;

  void succeeded(pid_t pid) { pid_ = pid; }

 private:
  ChildRegistry* registry_;
  pid_t pid_ = 0;
};

// One launch: what the child needs is gathered here, in memory that stays put until exec.
class Launch {
 public:
  Launch(const SpawnRequest& request, detail::LaunchPad& pad) : request_(request), pad_(pad) {}

  Result<SpawnedProcess> run() {
    if (const auto why = objection(request_)) return detail::bad_request(request_, *why);
    for (const int number : {0, 1, 2}) {
      if (Result<> ready = prepare_stream(number); !ready) return ready.error();
    }
    for (const PassedFd& passed : request_.passed) moves_.push_back({passed.fd, passed.number});
    pad_.lend(moves_);
    prepare_plan();
    RegisteredLaunch registered(request_.registry.get());
    const Result<> started = start();
    pad_.take_back();
    if (!started) return started.error();
    registered.succeeded(spawned_.pid);
    return std::move(spawned_);
  }

 private:
  Result<> prepare_stream(int number) {
    static constexpr std::array<const char*, 3> kNames = {"stdin", "stdout", "stderr"};
    const std::array<StdioMode, 3> modes = {request_.stdin_mode, request_.stdout_mode, request_.stderr_mode};
    const auto index = static_cast<std::size_t>(number);
    StdioMode mode = modes[index];
    if (mode == StdioMode::kInherit && ::fcntl(number, F_GETFD) < 0) mode = StdioMode::kNull;
    int child_end = number;
    if (mode == StdioMode::kNull) {
      if (!null_) null_.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
      if (!null_) return detail::launch_error(request_, "open /dev/null", errno);
      child_end = null_.get();
    } else if (mode == StdioMode::kSocket) {
      if (number == 0) {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
          return detail::launch_error(request_, "making the socket for stdin and stdout", errno);
        }
        child_ends_[index].reset(ends[0]);
        spawned_.stdio_socket.reset(ends[1]);
        ::fcntl(ends[1], F_SETFL, O_NONBLOCK);
      }
      child_end = child_ends_[0].get();
    } else if (mode == StdioMode::kStdout) {
      child_end = moves_.at(STDOUT_FILENO).source;
    } else if (mode == StdioMode::kPipe) {
      std::array<int, 2> ends{};
      if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        return detail::launch_error(request_, std::string("making the pipe for ") + kNames[index], errno);
      }
      const bool child_reads = number == 0;
      child_ends_[index].reset(child_reads ? ends[0] : ends[1]);
      UniqueFd ours(child_reads ? ends[1] : ends[0]);
      // Ours alone: the child's end is a file of its own and blocks, as programs expect.
      ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
      child_end = child_ends_[index].get();
      (number == 0   ? spawned_.stdin_pipe
       : number == 1 ? spawned_.stdout_pipe
                     : spawned_.stderr_pipe) = std::move(ours);
    }
    moves_.push_back({child_end, number});
    return {};
  }

  void prepare_plan() {
    files_ = candidates(request_);
    for (const std::string& file : files_) file_pointers_.push_back(file.c_str());
    argv_ = pointers(request_.argv);
    environment_ = pointers(request_.environment);
    closed_ = all_but(moves_);
    for (const auto& move : moves_) {
      plan_.highest_source = std::max(plan_.highest_source, move.source);
      plan_.highest_target = std::max(plan_.highest_target, move.target);
    }
    plan_.files = file_pointers_.data();
    plan_.file_count = file_pointers_.size();
    plan_.argv = argv_.data();
    plan_.environment = environment_.data();
    plan_.working_directory =
        request_.working_directory.empty() ? nullptr : request_.working_directory.c_str();
    plan_.may_stay = request_.working_directory_is == WorkingDirectory::kPreferred;
    plan_.moves = moves_.data();
    plan_.move_count = moves_.size();
    plan_.closed = closed_.data();
    plan_.closed_count = closed_.size();
    plan_.own_group = request_.group == ProcessGroup::kOwn;
    plan_.parent_death_signal = request_.parent_death_signal.value_or(0);
    plan_.parent = ::getpid();
    if (request_.restore_nofile && ::getrlimit(RLIMIT_NOFILE, &limit_) == 0) {
      limit_.rlim_cur = std::min<rlim_t>(*request_.restore_nofile, limit_.rlim_max);
      plan_.descriptor_limit = &limit_;
    }
  }

  struct Cloned {
    pid_t pid = -1;
    UniqueFd pidfd;
    int error = 0;
  };

  Cloned clone_child(void* stack, int flags) {
    int pidfd = -1;
    Cloned cloned;
    const AllSignalsBlocked blocked;
    cloned.pid = HOSTMESH_CLONE(detail::run_vfork_child, stack, CLONE_VM | CLONE_VFORK | flags | SIGCHLD,
                                &plan_, &pidfd);
    cloned.error = errno;
    cloned.pidfd.reset(pidfd);
    return cloned;
  }

  // Once more where close_range is refused: the child then begins with a copy of all descriptors, which costs
  // more the more there are, and closes them one by one.
  Cloned clone_child(void* stack) {
    if (const int error = fault::next(fault::Point::kProcess))
      return {.pid = -1, .pidfd = {}, .error = error};
    for (;;) {
      plan_.own_descriptors = pad_.copies_descriptors;
      plan_.failed = LaunchStep::kNone;
      const int files = plan_.own_descriptors ? 0 : CLONE_FILES;
      Cloned cloned = clone_child(stack, files | CLONE_PIDFD);
      if (cloned.pid < 0 && (detail::is_refused_call(cloned.error) || cloned.error == EINVAL)) {
        cloned = clone_child(stack, files);
      }
      if (plan_.failed != LaunchStep::kUnshareDescriptors || !detail::is_refused_call(plan_.error))
        return cloned;
      reap_failed(cloned.pid);
      pad_.copies_descriptors = true;
    }
  }

  // It has left already: the kernel resumed us only then.
  static void reap_failed(pid_t pid) {
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) != 0 && errno == EINTR) {
    }
  }

  Result<> start() {
    void* const stack = pad_.stack_top();
    if (stack == nullptr) return detail::launch_error(request_, "making a stack for the child", errno);
    auto [pid, handle, clone_error] = clone_child(stack);
    if (pid < 0) return detail::launch_error(request_, "clone", clone_error);
    if (plan_.failed != LaunchStep::kNone) {
      reap_failed(pid);
      return detail::launch_error(request_, step_text(plan_.failed, request_), plan_.error,
                                  step_hint(plan_.failed, request_, plan_.error));
    }
    if (!handle) handle = detail::open_pidfd(pid);
    if (!handle) {
      const int error = errno;
      if (request_.group == ProcessGroup::kOwn) detail::send_group_signal(pid, SIGKILL);
      // One that became another user's cannot be killed, and is left to whoever sweeps.
      if (::kill(pid, SIGKILL) == 0 || errno == ESRCH) reap_failed(pid);
      return detail::launch_error(request_, "watching the child", error);
    }
    spawned_.pid = pid;
    spawned_.pidfd = std::move(handle);
    spawned_.group = request_.group;
    spawned_.registry = request_.registry;
    if (plan_.stayed != 0) tell_of_other_folder();
    return {};
  }

  // The parent is in it already, whether or not it can be entered by its name.
  bool is_own_folder() const {
    std::error_code failure;
    if (std::filesystem::current_path(failure) == request_.working_directory) return true;
    struct stat asked {};
    struct stat own {};  // not by the name ".", which cannot be looked up in a folder that is closed to us
    return ::stat(request_.working_directory.c_str(), &asked) == 0 &&
           ::fstatat(AT_FDCWD, "", &own, AT_EMPTY_PATH) == 0 && asked.st_dev == own.st_dev &&
           asked.st_ino == own.st_ino;
  }

  // A name that leads nowhere is what is to be expected on another machine.
  void tell_of_other_folder() const {
    if (is_own_folder()) return;
    const std::string text =
        "a process was started in this one's working directory, because its own cannot be entered " +
        log::field("folder", request_.working_directory) + " " +
        log::field("error", errno_text(plan_.stayed)) + " " +
        log::field("command", command_text(request_.argv));
    if (plan_.stayed == ENOENT || plan_.stayed == ENOTDIR) {
      log::info(text);
    } else {
      log::warning(text);
    }
  }

  const SpawnRequest& request_;
  detail::LaunchPad& pad_;
  SpawnedProcess spawned_;
  UniqueFd null_;
  std::array<UniqueFd, 3> child_ends_;
  std::vector<detail::DescriptorMove> moves_;
  std::vector<detail::DescriptorRange> closed_;
  std::vector<std::string> files_;
  std::vector<const char*> file_pointers_;
  std::vector<char*> argv_;
  std::vector<char*> environment_;
  rlimit limit_{};
  ChildPlan plan_;
};

}  // namespace

SpawnedProcess::~SpawnedProcess() {
  if (!pidfd) return;
  if (group == ProcessGroup::kOwn) detail::send_group_signal(pid, SIGKILL);
  detail::send_signal(pid, pidfd.get(), SIGKILL);
  detail::wait_dead(pidfd.get(), std::chrono::seconds(1));
  const auto reap = [this] { detail::wait_child(pid, pidfd.get(), detail::Take::kReap); };
  if (registry) {
    registry->release(pid, reap);
  } else {
    reap();
  }
}

Result<SpawnedProcess> spawn(const SpawnRequest& request) {
  detail::LaunchPad pad(detail::LaunchPad::Numbers::kAny);
  return spawn(request, pad);
}

Result<SpawnedProcess> spawn(const SpawnRequest& request, detail::LaunchPad& pad) {
  return Launch(request, pad).run();
}

}  // namespace hostmesh
