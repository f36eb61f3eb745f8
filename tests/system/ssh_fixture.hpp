// The fixture of the tests of the allocator ssh: a daemon of the test's own, and hosts behind it that are all
// this machine.
#pragma once

#include <optional>

#include "system/fixture.hpp"
#include "system/sshd.hpp"

namespace hostmesh::test {

class Ssh : public SystemTest {
 protected:
  void SetUp() override {
    if (const std::string why = Sshd::missing(); !why.empty()) GTEST_SKIP() << why;
  }

  // The allocator `lab`: four hosts, or as many as said, behind a daemon with that configuration.
  void start_lab(const std::string& daemon_config = "", const std::string& options = "",
                 const std::string& hosts = "'node[1-4]'") {
    sshd_.emplace(daemon_config);
    configure(options, hosts);
  }
  void configure(const std::string& options, const std::string& hosts = "'node[1-4]'",
                 const std::string& program = bin("hostmesh-bootstrap").string()) {
    write_file("plugins.yaml",
               "plugin_path: [" + (bin("..") / "lib/hostmesh/plugins").lexically_normal().string() +
                   "]\ndefault: lab\nallocators:\n  lab: {plugin: ssh, options: {hosts: [" + hosts +
                   "], ssh_config: " + sshd_->client_config().string() + ", remote_command: " + program +
                   (options.empty() ? "" : ", ") + options + "}}\n");
  }
  std::vector<pid_t> clients_to(const std::string& host) const {
    std::vector<pid_t> found;
    for (const pid_t pid : processes_named("ssh")) {
      if (command_line_of(pid).find(" -- " + host + " ") != std::string::npos) found.push_back(pid);
    }
    return found;
  }

  // Runs `true` on the lab, which is to fail; what was said.
  std::string failure(const std::string& extent = "hosts=4") const {
    Running hostmesh(run({"--extent", extent}, {"true"}));
    EXPECT_TRUE(hostmesh.finish());
    EXPECT_NE(hostmesh.status(), 0);
    return hostmesh.err();
  }

  std::optional<Sshd> sshd_;
};

inline ::testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "'" << part << "' is not in: " << text;
}

}  // namespace hostmesh::test
