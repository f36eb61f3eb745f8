#include "sockets.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <functional>
#include <system_error>

#include "hostmesh/plugin/sdk.hpp"

namespace hostmesh_ssh {

namespace {

std::string folder_of_ours() {
  return "/tmp/hostmesh-ssh-" + std::to_string(::geteuid());
}

void remove_if(const std::string& folder, const std::function<bool(const std::string& name)>& condition) {
  std::error_code failure;
  for (std::filesystem::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    if (condition(at->path().filename().string())) ::unlink(at->path().c_str());
  }
}

// A process of another container may have that number, and a client of it may live.
bool is_dead_socket(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return false;
  path.copy(address.sun_path, path.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const bool is_refused = ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
                          errno == ECONNREFUSED;
  ::close(fd);
  return is_refused;
}

bool is_of_a_process_that_is_gone(const std::string& name) {
  pid_t pid = 0;
  const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
  return failure == std::errc() && pid > 0 && *end == '-' && ::kill(pid, 0) != 0 && errno == ESRCH;
}

}  // namespace

std::string Sockets::new_prefix() {
  static std::atomic<unsigned> instances = 0;
  const std::string folder = folder_of_ours();
  struct stat about {};
  if ((::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) || ::lstat(folder.c_str(), &about) != 0 ||
      !S_ISDIR(about.st_mode) || about.st_uid != ::geteuid() || (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    throw hostmesh::plugin::Error(hostmesh::plugin::Cause::kConfiguration,
                                  "option 'multiplex': " + folder + " cannot be made a folder of ours alone");
  }
  remove_if(folder, [&folder](const std::string& name) {
    return is_of_a_process_that_is_gone(name) && is_dead_socket(folder + "/" + name);
  });
  return folder + "/" + std::to_string(::getpid()) + "-" + std::to_string(++instances) + "-";
}

void Sockets::remove(const std::string& prefix) {
  const std::filesystem::path path(prefix);
  remove_if(path.parent_path().string(),
            [begin = path.filename().string()](const std::string& name) { return name.starts_with(begin); });
}

}  // namespace hostmesh_ssh
