#include "system/sshd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace hostmesh::test {

namespace {

constexpr const char* kDaemon = "/usr/sbin/sshd";
constexpr int kStarts = 20;  // a port that was free may be taken by the time it is used

std::uint16_t free_port() {
  const UniqueFd probe(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(probe.get(), generic, size) != 0 || ::getsockname(probe.get(), generic, &size) != 0)
    throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

// Not below the test's: the daemon's command line would then have the mark of what is below the test.
std::filesystem::path own_folder() {
  std::string folder = (std::filesystem::temp_directory_path() / "hostmesh_sshd.XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no folder for sshd");
  return folder;
}

std::string user_name() {
  const passwd* const user = ::getpwuid(::geteuid());
  return user == nullptr ? "root" : user->pw_name;
}

void make_key(const std::filesystem::path& file) {
  Running keygen({.argv = {"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file.string()}});
  if (!keygen.finish() || keygen.status() != 0) throw std::runtime_error("ssh-keygen: " + keygen.err());
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

}  // namespace

std::string Sshd::missing() {
  if (::access(kDaemon, X_OK) != 0) return std::string(kDaemon) + " is not installed";
  return ::access("/usr/bin/ssh", X_OK) == 0 ? "" : "/usr/bin/ssh is not installed";
}

Sshd::Sshd(const std::string& extra) : folder_(own_folder()), client_config_(folder_ / "ssh_config") {
  // Where it separates privileges; made by the system's own service otherwise.
  if (::geteuid() == 0) ::mkdir("/run/sshd", S_IRWXU | S_IRGRP | S_IXGRP | S_IROTH | S_IXOTH);
  for (const char* key : {"host_key", "key", "stranger"}) make_key(folder_ / key);
  std::filesystem::copy_file(folder_ / "key.pub", folder_ / "authorized_keys");
  for (int i = 0; !start(extra); ++i) {
    if (i == kStarts) throw std::runtime_error("sshd does not start: " + daemon_->err());
  }
  std::ofstream(folder_ / "known_hosts")
      << "[127.0.0.1]:" << port_ << " " << first_line(folder_ / "host_key.pub") << "\n";
  // A name that is to fail must not be led here.
  std::ofstream(client_config_) << "Host * !*.invalid\n  HostName 127.0.0.1\n  Port " << port_
                                << "\nHost *\n  User " << user_name() << "\n  IdentityFile "
                                << (folder_ / "key").string()
                                << "\n  IdentitiesOnly yes\n  IdentityAgent none\n  UserKnownHostsFile "
                                << (folder_ / "known_hosts").string()
                                << "\n  GlobalKnownHostsFile /dev/null\n";
}

Sshd::~Sshd() {
  daemon_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

bool Sshd::start(const std::string& extra) {
  port_ = free_port();
  std::ofstream(folder_ / "sshd_config")
      << "Port " << port_ << "\nListenAddress 127.0.0.1\nHostKey " << (folder_ / "host_key").string()
      << "\nPidFile none\nAuthorizedKeysFile " << (folder_ / "authorized_keys").string()
      << "\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
      << "PermitRootLogin prohibit-password\nPrintMotd no\n"
      << extra << "\n";
  daemon_ = std::make_unique<Running>(
      StartOptions{.argv = {kDaemon, "-D", "-e", "-f", (folder_ / "sshd_config").string()}});
  return daemon_->read_until(
      [this] { return daemon_->err().find("Server listening on") != std::string::npos; });
}

std::string Sshd::log() {
  daemon_->read_until([] { return false; }, std::chrono::milliseconds(1));
  return daemon_->err();
}

}  // namespace hostmesh::test
