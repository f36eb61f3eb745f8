// The launcher: starts one program as a child of this process.
//
// The child is made with clone(VM, VFORK, FILES, PIDFD), so the cost does not grow with the size of the
// parent, its other threads and their locks do not matter, and the pidfd comes with the child: there is no
// moment in which a pid could be somebody else's. The child gets what the request says and nothing more: no
// environment, no descriptor, no signal handler, no mask of the parent.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/process/stdio.hpp"

namespace hostmesh {

class ChildRegistry;
namespace detail {
class LaunchPad;
}

enum class ProcessGroup : std::uint8_t {
  // Leads a new one, whose id is its pid, in a new session. So it can be killed whole, the terminal's signals
  // do
  // not reach it, and it has no terminal: what asks on /dev/tty gets an error instead of being stopped.
  kOwn,
  kParents,  // stays in the parent's
};

// A descriptor handed to the child: `fd` here, `number` there. It stays open here.
struct PassedFd {
  int fd = -1;
  int number = -1;  // 3 or more
};

// What becomes of a child whose working directory is not there, or cannot be entered by this user.
enum class WorkingDirectory : std::uint8_t {
  kRequired,   // it is not started
  kPreferred,  // it starts in the parent's
};

// A value.
struct SpawnRequest {
  // argv[0] with a '/' is the file; otherwise it is searched in the PATH of `environment` (/bin:/usr/bin
  // without one).
  std::vector<std::string> argv;
  // "NAME=value", complete: nothing is inherited. inherited_environment() is what may be passed on of ours.
  std::vector<std::string> environment;
  // Empty: the parent's. A relative argv[0] and a relative PATH are seen from here.
  std::string working_directory;
  WorkingDirectory working_directory_is = WorkingDirectory::kRequired;
  // kStdout is for stderr, where stdout is not a socket. kSocket is for stdin and stdout, and for both or
  // neither.
  StdioMode stdin_mode = StdioMode::kNull;
  StdioMode stdout_mode = StdioMode::kPipe;
  StdioMode stderr_mode = StdioMode::kPipe;
  ProcessGroup group = ProcessGroup::kOwn;
  // Sent to the child when the thread that calls spawn() ends, so call it on one that lives as long as the
  // owner (LaunchThread). Set before exec; a parent that died earlier than that is noticed.
  std::optional<int> parent_death_signal;
  // Besides 0, 1 and 2 the only descriptors that get through.
  std::vector<PassedFd> passed;
  // The child's soft RLIMIT_NOFILE, where ours was raised: programs that use select() rely on the usual one.
  std::optional<std::uint64_t> restore_nofile;
  // Where the program collects orphans: the child is entered before anybody can take it for one.
  std::shared_ptr<ChildRegistry> registry;
};

// A resource: a child nobody watches yet, and the parent's ends of its pipes (close-on-exec, non-blocking;
// empty where there is no pipe). Give it to a ChildProcess; dropped, it is killed with its group and reaped,
// which waits at most a second.
struct SpawnedProcess {
  SpawnedProcess() = default;
  SpawnedProcess(SpawnedProcess&&) = default;
  SpawnedProcess& operator=(SpawnedProcess&&) = delete;
  ~SpawnedProcess();

  pid_t pid = 0;
  UniqueFd pidfd;
  UniqueFd stdin_pipe;
  UniqueFd stdout_pipe;
  UniqueFd stderr_pipe;
  UniqueFd stdio_socket;  // with StdioMode::kSocket
  ProcessGroup group = ProcessGroup::kOwn;
  std::shared_ptr<ChildRegistry> registry;
};

// Any thread. Blocks until the program is running or could not be started; then no child is left. The Error
// has phase "launch", the command, errno and the step that failed; cause kResourceLimit when descriptors,
// processes or memory ran out, kInvalidArgument for a request that cannot be, kSpawnFailed for all else.
Result<SpawnedProcess> spawn(const SpawnRequest& request);
// For a thread that launches many, which keeps the pad.
Result<SpawnedProcess> spawn(const SpawnRequest& request, detail::LaunchPad& pad);

// argv as a person would type it, for messages: quoted where needed, cut when long.
std::string command_text(const std::vector<std::string>& argv);

}  // namespace hostmesh
