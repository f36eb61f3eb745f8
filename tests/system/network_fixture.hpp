// For tests with several machines: a Network, and an allocator `lab` whose hosts are its nodes.
#pragma once

#include <algorithm>
#include <optional>

#include "system/fixture.hpp"
#include "system/network.hpp"

namespace hostmesh::test {

class NetworkTest : public SystemTest {
 protected:
  void SetUp() override {
    if (const std::string why = Network::missing(); !why.empty()) GTEST_SKIP() << why;
  }

  void start(std::size_t nodes, const std::string& options = "") {
    network_.emplace(nodes, std::filesystem::canonical(bin("..")));
    configure(options);
  }
  void configure(
      const std::string& options,
      const std::string& program = std::filesystem::canonical(bin("hostmesh-bootstrap")).string()) {
    write_file("plugins.yaml",
               "plugin_path: [" + (bin("..") / "lib/hostmesh/plugins").lexically_normal().string() +
                   "]\ndefault: lab\nallocators:\n  lab: {plugin: ssh, options: {hosts: ['node[1-" +
                   std::to_string(network_->size()) +
                   "]'], ssh_config: " + network_->client_config().string() + ", remote_command: " + program +
                   (options.empty() ? "" : ", ") + options + "}}\n");
  }
  Node& node(std::size_t number) { return (*network_)[number - 1]; }

  // Nothing of ours runs on any of these nodes, once what is under way has come to its end.
  void expect_nothing_on(const std::vector<std::size_t>& numbers) {
    for (const std::size_t number : numbers) {
      EXPECT_TRUE(becomes_true([&] {
        return node(number).processes("hostmesh-bootstrap").empty() &&
               node(number).processes("sleep").empty() && node(number).processes("test_network").empty();
      })) << "on "
          << node(number).name();
    }
  }

  std::optional<Network> network_;
};

inline ::testing::AssertionResult says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "'" << part << "' is not in: " << text;
}

}  // namespace hostmesh::test
