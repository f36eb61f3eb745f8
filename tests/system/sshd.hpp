// Sshd: an ssh daemon of the test's own, on this machine, and a client configuration that leads to it
// whatever a host is called.
//
// A resource: dropped, the daemon is killed, and with it whoever is logged in. Keys, configuration and known
// hosts are in a folder of its own; nothing of the machine's or of the user's is read or changed.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "system/running.hpp"

namespace hostmesh::test {

class Sshd {
 public:
  // Why there can be none on this machine; empty when there can.
  static std::string missing();

  // `extra` is added to its configuration. Throws std::runtime_error with what it said when it does not
  // start.
  explicit Sshd(const std::string& extra = "");
  ~Sshd();
  Sshd(const Sshd&) = delete;
  Sshd& operator=(const Sshd&) = delete;

  std::uint16_t port() const { return port_; }
  const std::filesystem::path& client_config() const { return client_config_; }
  // host_key, key, which it lets in, and stranger, which it does not, each with .pub; and known_hosts.
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  // What it has written since its start, as far as there is.
  std::string log();

 private:
  bool start(const std::string& extra);

  const std::filesystem::path folder_;
  const std::filesystem::path client_config_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Running> daemon_;
};

}  // namespace hostmesh::test
