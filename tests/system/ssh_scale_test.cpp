// The conformance cases of scale, over ssh: some eleven hundred logins to one daemon, up to 16 at once.
#include "system/fixture.hpp"
#include "system/sshd.hpp"

namespace hostmesh::test {
namespace {

class SshScale : public SystemTest {
 protected:
  void SetUp() override {
    if (const std::string why = Sshd::missing(); !why.empty()) GTEST_SKIP() << why;
  }
};

// Everything that makes a login cheap, because so many are needed: bash leaves the user's .bashrc out below
// another shell, and the key exchange is the one that takes half the time.
TEST_F(SshScale, ConformsInHundreds) {
  const Sshd sshd("MaxStartups 1000\nSetEnv SHLVL=1");
  const auto plugins = (bin("..") / "lib/hostmesh/plugins").lexically_normal();
  write_file("plugins.yaml",
             "plugin_path: [" + plugins.string() +
                 "]\ndefault: lab\nallocators:\n  lab: {plugin: ssh, options: {hosts: [node1], "
                 "slots: 256, parallelism: 16, parallelism_per_host: 16, "
                 "ssh_options: [KexAlgorithms=curve25519-sha256], ssh_config: " +
                 sshd.client_config().string() + ", remote_command: " + bin("hostmesh-bootstrap").string() +
                 "}}\n");

  Running suite(hostmesh(
      {"conformance", "-c", plugins_yaml().string(), "-a", "lab", "--patience", "10", "--only", "scale.*"}));

  EXPECT_TRUE(suite.finish(std::chrono::seconds(380)));
  EXPECT_EQ(suite.status(), 0) << suite.out() << suite.err();
}

}  // namespace
}  // namespace hostmesh::test
