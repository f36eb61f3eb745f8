#include "hostmesh/bootstrap/exec_request.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string_view>

#include "hostmesh/base/config.hpp"
#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/bootstrap/messages.hpp"
#include "hostmesh/channel/addr.hpp"
#include "hostmesh/channel/detail/socket.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/environment.hpp"
#include "hostmesh/process/keeper.hpp"

namespace hostmesh::bootstrap {

namespace {

constexpr std::string_view kMagic = "HMX2";
constexpr std::string_view kGuard = "exit 113\n";
constexpr std::size_t kMaxGuards = 64;
constexpr std::uint32_t kMostBytes = 16 << 20;
constexpr int kMissing = 127;
constexpr int kUnusable = 126;

[[noreturn]] void give_up(const std::string& why, int code) {
  std::fprintf(stderr, "hostmesh-bootstrap: %s\n", why.c_str());
  std::fflush(nullptr);
  ::_exit(code);
}

// The way may be cut before the request has come, and no end of stdin would ever say so.
struct Patience {
  Duration limit = Config::from_process_environment().get(attribute::kHelloTimeout);
  Deadline deadline = Deadline::after(limit);
};

void await_input(const Patience& patience) {
  int ready = -1;
  while (ready < 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(patience.deadline.remaining()).count();
    pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    ready = ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left, 1'000'000'000)));
    if (ready < 0 && errno != EINTR) give_up("stdin cannot be waited for: " + errno_text(errno), kUnusable);
  }
  if (ready == 0) give_up("no whole request came on stdin within " + to_string(patience.limit), kUnusable);
}

void read_exactly(std::uint8_t* into, std::size_t size, const Patience& patience) {
  while (size > 0) {
    await_input(patience);
    const ssize_t count = ::read(STDIN_FILENO, into, size);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) give_up("the request on stdin ended early: its sender is gone", kUnusable);
    if (count < 0) give_up("the request on stdin cannot be read: " + errno_text(errno), kUnusable);
    into += count;
    size -= static_cast<std::size_t>(count);
  }
}

std::string read_text(std::size_t size, const Patience& patience) {
  std::string text(size, '\0');
  read_exactly(reinterpret_cast<std::uint8_t*>(text.data()), size, patience);
  return text;
}

[[noreturn]] void give_up_strange_request() {
  give_up("what came on stdin is no request of this version's: are both ends of the same version?",
          kUnusable);
}

// Skips the guards that no shell has taken.
void read_guards_and_magic(const Patience& patience) {
  for (std::size_t i = 0; i <= kMaxGuards; ++i) {
    const std::string begin = read_text(kMagic.size(), patience);
    if (begin == kMagic) return;
    if (!kGuard.starts_with(begin)) break;
    if (begin + read_text(kGuard.size() - begin.size(), patience) != kGuard) break;
  }
  give_up_strange_request();
}

std::uint8_t digit_of(char c) {
  if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
  give_up_strange_request();
}

ExecRequest read_request() {
  constexpr std::size_t kSizeDigits = 8;
  const Patience patience;
  read_guards_and_magic(patience);
  std::uint32_t size = 0;
  for (const char c : read_text(kSizeDigits, patience)) size = size << 4 | digit_of(c);
  if (size > kMostBytes) give_up("the request on stdin is too long", kUnusable);
  const std::string digits = read_text(2 * std::size_t{size}, patience);
  Bytes entries(size);
  for (std::size_t i = 0; i < size; ++i)
    entries[i] = static_cast<std::uint8_t>(digit_of(digits[2 * i]) << 4 | digit_of(digits[2 * i + 1]));
  auto request = unpack_exec_request(entries);
  if (!request) give_up(request.error().text(), kUnusable);
  return *std::move(request);
}

std::string variable(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& entry : environment) {
    if (entry.size() > name.size() && entry.starts_with(name) && entry[name.size()] == '=')
      return entry.substr(name.size() + 1);
  }
  return {};
}

// The login's environment with what was sent in the place of what has the same name.
std::vector<std::string> joined(const std::vector<std::string>& added) {
  std::vector<std::string> environment;
  for (const std::string& entry : inherited_environment()) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    const bool replaced = std::any_of(added.begin(), added.end(), [name](const std::string& each) {
      return std::string_view(each).substr(0, each.find('=')) == name;
    });
    if (!replaced) environment.push_back(entry);
  }
  // Of several with one name the last one counts.
  for (auto entry = added.begin(); entry != added.end(); ++entry) {
    const std::string_view name = std::string_view(*entry).substr(0, entry->find('='));
    const bool again = std::any_of(entry + 1, added.end(), [name](const std::string& later) {
      return std::string_view(later).substr(0, later.find('=')) == name;
    });
    if (!again) environment.push_back(*entry);
  }
  return environment;
}

// Where the program is. Looked up here and not by exec, because the marker is written in between.
std::string find_program(const std::string& name, const std::vector<std::string>& environment) {
  int error = ENOENT;
  const auto is_program = [&error](const std::string& file) {
    struct stat about {};
    if (::stat(file.c_str(), &about) != 0) return false;
    error = EACCES;
    return S_ISREG(about.st_mode) && ::access(file.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) {
    if (is_program(name)) return name;
  } else {
    std::string path = variable(environment, "PATH");
    if (path.empty()) path = "/bin:/usr/bin";
    for (std::size_t at = 0; at <= path.size();) {
      const std::size_t colon = std::min(path.find(':', at), path.size());
      const std::string folder = path.substr(at, colon - at);
      std::string file = (folder.empty() ? "." : folder) + "/" + name;
      if (is_program(file)) return file;
      at = colon + 1;
    }
  }
  give_up(name + ": " + errno_text(error), error == ENOENT ? kMissing : kUnusable);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

void write_marker(std::string_view marker) {
  while (!marker.empty()) {
    const ssize_t count = ::write(STDOUT_FILENO, marker.data(), marker.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) give_up("stdout cannot be written to: " + errno_text(errno), kUnusable);
    marker.remove_prefix(static_cast<std::size_t>(count));
  }
}

// Before anything is started that could only wait for it.
void check_reach(const std::string& address) {
  constexpr int kTimeout = 10'000;  // milliseconds
  const auto fail = [&address](const std::string& why) {
    give_up("its client cannot be reached at " + address + ": " + why, kUnusable);
  };
  const auto addr = ChannelAddr::parse(address);
  if (!addr) return fail(addr.error().text());
  const auto where = hostmesh::detail::socket_address(*addr);
  if (!where) return fail(where.error().text());
  const auto socket = hostmesh::detail::new_socket(*addr);
  if (!socket) return fail(socket.error().text());
  if (::connect(socket->get(), where->get(), where->size) == 0) return;
  if (errno != EINPROGRESS) return fail(errno_text(errno));
  pollfd watched{.fd = socket->get(), .events = POLLOUT, .revents = 0};
  int ready = 0;
  while ((ready = ::poll(&watched, 1, kTimeout)) < 0 && errno == EINTR) {
  }
  if (ready == 0) return fail("nothing came back within 10 s");
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) fail(errno_text(error));
}

// sshd says so: the client's address and port, and ours.
void bind_where_login_came_in(std::vector<std::string>& environment) {
  // ":5000-5100" are ports, at whatever address it is.
  const std::string bind = variable(environment, "HOSTMESH_TCP_BIND");
  if (!bind.empty() && !bind.starts_with(':')) return;
  std::istringstream connection(variable(inherited_environment(), "SSH_CONNECTION"));
  std::string client;
  std::string port;
  std::string own;
  if (!(connection >> client >> port >> own)) {
    give_up(
        "SSH_CONNECTION does not say at which address this machine was reached; set HOSTMESH_TCP_BIND for it",
        kUnusable);
  }
  if (!bind.empty() && own.find(':') != std::string::npos) own = "[" + own + "]";
  std::erase(environment, "HOSTMESH_TCP_BIND=" + bind);
  environment.push_back("HOSTMESH_TCP_BIND=" + own + bind);
}

// In the program's parent: waits for the program's end, or for the end of those who read what it writes.
[[noreturn]] void watch_over(pid_t program) {
  const UniqueFd handle = hostmesh::detail::open_pidfd(program);
  if (!handle) {
    const int error = errno;
    ::kill(-program, SIGKILL);
    give_up("it cannot be watched: " + errno_text(error), kUnusable);
  }
  std::array<pollfd, 2> watched{pollfd{.fd = handle.get(), .events = POLLIN, .revents = 0},
                                pollfd{.fd = STDOUT_FILENO, .events = 0, .revents = 0}};
  while (::poll(watched.data(), watched.size(), -1) < 0 && errno == EINTR) {
  }
  if (watched[0].revents == 0) ::kill(-program, SIGKILL);
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(program), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  // Whatever it has left behind in its group, whose number is nobody else's as long as it is not reaped.
  ::kill(-program, SIGKILL);
  int status = 0;
  while (::waitpid(program, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

// Without the number of the patch, over which nothing that is said between two ends differs.
std::string_view release_of(std::string_view version) {
  return version.substr(0, version.rfind('.'));
}

// What process lists show of this process, in the place of its first argument.
void call_it(std::string_view name) {
  const std::size_t room = std::strlen(program_invocation_name);
  std::memset(program_invocation_name, 0, room);
  name.copy(program_invocation_name, room);
  ::prctl(PR_SET_NAME, std::string(name).c_str());
}

// A child of the protocol cleans up what is below it. Should it be killed, nobody else on this machine would:
// what it leaves is handed to this process. It lets go of the connection, whose end has to be that of the
// child.
[[noreturn]] void keep(const std::string& program, std::vector<std::string>& argv,
                       std::vector<std::string>& environment) {
  Keeper keeper(Keeper::Group::kShared);
  const auto started =
      keeper.start(program.c_str(), pointers(argv).data(), pointers(environment).data(), SIGCONT);
  if (!started) give_up(started.error().text(), kUnusable);
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (const int number : {STDIN_FILENO, STDOUT_FILENO}) ::dup2(null.get(), number);
  call_it("hostmesh-keeper");
  keeper.keep();
}

}  // namespace

Result<ExecRequest> unpack_exec_request(ByteView entries) {
  std::string_view rest(reinterpret_cast<const char*>(entries.data()), entries.size());
  ExecRequest request;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos || end == 0)
      return Error(Cause::kProtocol, "the request on stdin has an entry without its letter or its end");
    std::string text(rest.substr(1, end - 1));
    switch (rest.front()) {
      case 'V':
        if (release_of(text) != release_of(HOSTMESH_VERSION)) {
          return Error(Cause::kProtocol, "this is version " HOSTMESH_VERSION
                                         " of hostmesh, and its client is " +
                                             text + ": both ends have to be of the same version");
        }
        break;
      case 'M':
        request.marker = std::move(text);
        break;
      case 'R':
        request.reaches = std::move(text);
        break;
      case 'T':
        request.binds_where_login_came_in = true;
        break;
      case 'D':
        request.working_directory = std::move(text);
        break;
      case 'I':
        request.adds_to_environment = true;
        break;
      case 'K':
        request.kills_when_unread = true;
        break;
      case 'E':
        request.environment.push_back(std::move(text));
        break;
      case 'A':
        request.argv.push_back(std::move(text));
        break;
      default:
        return Error(Cause::kProtocol,
                     "the request on stdin has an entry '" + std::string(1, rest.front()) +
                         "', which this version does not know: are both ends of the same version?");
    }
    rest.remove_prefix(end + 1);
  }
  return request;
}

void exec_as_requested() {
  ExecRequest request = read_request();
  const std::string& folder = request.working_directory;
  if (!folder.empty() && ::chdir(folder.c_str()) != 0)
    give_up("the working directory '" + folder + "': " + errno_text(errno), kUnusable);
  std::vector<std::string> environment =
      request.adds_to_environment ? joined(request.environment) : std::move(request.environment);
  if (!request.reaches.empty()) check_reach(request.reaches);
  if (request.binds_where_login_came_in) bind_where_login_came_in(environment);
  const std::string program =
      request.argv.empty() ? "/proc/self/exe" : find_program(request.argv.front(), environment);
  if (request.argv.empty()) request.argv.emplace_back("hostmesh-bootstrap");
  write_marker(request.marker);
  if (request.kills_when_unread) {
    // Of a child whose end is ignored nobody could tell how it ended.
    std::signal(SIGCHLD, SIG_DFL);
    const pid_t program_pid = ::fork();
    if (program_pid < 0) give_up("it cannot be started: " + errno_text(errno), kUnusable);
    // On both sides, so that it has happened whoever is first.
    ::setpgid(program_pid, program_pid);
    if (program_pid > 0) watch_over(program_pid);
  }
  if (!request.kills_when_unread) keep(program, request.argv, environment);
  ::execve(program.c_str(), pointers(request.argv).data(), pointers(environment).data());
  give_up(program + ": " + errno_text(errno), kUnusable);
}

}  // namespace hostmesh::bootstrap
