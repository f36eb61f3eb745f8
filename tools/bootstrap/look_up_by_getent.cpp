// In place of channel/detail/look_up.cpp in children that are linked statically: the C library's resolver
// loads parts of itself from the machine, which must be of the very version that was linked. The machine's
// own getent has them.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/channel/detail/look_up.hpp"

namespace hostmesh::detail {

namespace {

// What `getent ahosts HOST` prints.
Result<std::string> ask_getent(const std::string& host) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return os_error(Cause::kResourceLimit, "a pipe for getent", errno);
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  // Our stdin is our owner's.
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDOUT_FILENO);
  std::string program = "getent";
  std::string database = "ahosts";
  std::string name = host;
  std::array<char*, 4> arguments{program.data(), database.data(), name.data(), nullptr};
  pid_t pid = 0;
  const int failed = ::posix_spawnp(&pid, program.c_str(), &actions, nullptr, arguments.data(), ::environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return os_error(Cause::kSpawnFailed, "starting getent to resolve '" + host + "'", failed);
  in.reset();
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t count = ::read(out.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  // Somebody who reaps all may have been quicker; what it printed is answer enough.
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return text;
}

}  // namespace

Result<std::vector<std::string>> look_up_host(const std::string& host) {
  const auto text = ask_getent(host);
  if (!text) return text.error();
  std::vector<std::string> all;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t end = std::min(text->find('\n', at), text->size());
    const std::string line = text->substr(at, end - at);
    if (const auto blank = line.find(' '); blank != std::string::npos) all.push_back(line.substr(0, blank));
    at = end + 1;
  }
  if (all.empty()) return Error(Cause::kUnroutable, "getent knows no address for host '" + host + "'");
  return all;
}

}  // namespace hostmesh::detail
