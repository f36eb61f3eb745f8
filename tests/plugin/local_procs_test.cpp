// The host's service for procs inside this process: the plugin `local` asks for them, and whoever runs them
// here (a stand-in, in these tests) reports for them.
#include <csignal>

#include "plugin/launch_bench.hpp"

namespace hostmesh {
namespace {

// Runs nothing: it reports what it is asked for and ends what it is told to end.
class StandIn final : public ChildLauncher {
 public:
  StandIn(Events events, std::vector<LaunchRequest>& requests)
      : events_(std::move(events)), requests_(requests) {}

  void launch(LaunchId id, LaunchRequest request) override {
    requests_.push_back(std::move(request));
    events_.on_launched(id, 42, "inside");
  }
  void signal(LaunchId id, int signal_number) override {
    events_.on_exited(id, ExitStatus::signalled(signal_number, false));
  }
  void close_stdin(LaunchId id) override { events_.on_exited(id, ExitStatus::exited(1)); }
  void pause_output(LaunchId) override {}
  void resume_output(LaunchId) override {}

 private:
  Events events_;
  std::vector<LaunchRequest>& requests_;
};

class LocalProcService : public ::testing::Test {
 protected:
  void open(const char* file) {
    const auto plugin = Plugin::load(file);
    ASSERT_TRUE(plugin) << plugin.error().text();
    bench.local_procs = [this](ChildLauncher::Events events) {
      return std::make_unique<StandIn>(std::move(events), requests);
    };
    ASSERT_EQ(bench.open(**plugin), "");
  }
  std::vector<LaunchRequest> requests;
  LaunchBench bench;
};

TEST_F(LocalProcService, GetsTheLaunchAsItWasAskedFor) {
  open(STOCK_PLUGINS "/liblocal.so");

  bench.launch(7, {"command"}, "payload");

  const LaunchRecord record = bench.wait_launched(7);
  EXPECT_EQ(record.pid, 42);
  EXPECT_EQ(record.node, "inside");
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].rank, 7U);
  EXPECT_EQ(requests[0].environment, std::vector<std::string>{"PATH=/usr/bin:/bin"});
  EXPECT_EQ(std::string(requests[0].stdin_payload.begin(), requests[0].stdin_payload.end()), "payload");
}

TEST_F(LocalProcService, HearsOfSignals) {
  open(STOCK_PLUGINS "/liblocal.so");
  bench.launch(7, {"command"});
  bench.wait_launched(7);

  bench.signal(7, SIGTERM);

  const LaunchRecord record = bench.wait_end(7);
  EXPECT_EQ(record.status, ExitStatus::signalled(SIGTERM, false));
}

TEST_F(LocalProcService, HearsOfTheEndOfTheLifeline) {
  open(STOCK_PLUGINS "/liblocal.so");
  bench.launch(7, {"command"});
  bench.wait_launched(7);

  bench.on_reactor([this] { bench.launcher->close_stdin(7); });

  const LaunchRecord record = bench.wait_end(7);
  EXPECT_EQ(record.status, ExitStatus::exited(1));
  EXPECT_EQ(record.ends, 1);
}

TEST_F(LocalProcService, WhereNothingRunsProcsTheLaunchFails) {
  const auto plugin = Plugin::load(STOCK_PLUGINS "/liblocal.so");
  ASSERT_TRUE(plugin) << plugin.error().text();
  ASSERT_EQ(bench.open(**plugin), "");

  bench.launch(7, {"command"});

  const LaunchRecord record = bench.wait_end(7);
  EXPECT_EQ(record.launched, 0);
  EXPECT_EQ(record.error.text(), "no procs can be run inside this process here");
}

TEST_F(LocalProcService, IsRefusedToAPluginThatDidNotDeclareIt) {
  open(SAMPLE_PLUGINS "/libscripted.so");

  bench.launch(7, {"inside"});

  const LaunchRecord record = bench.wait_end(7);
  EXPECT_EQ(record.launched, 0);
  EXPECT_NE(record.error.text().find("are for plugins with the capability LOCAL_PROCS"), std::string::npos)
      << record.error.text();
  EXPECT_TRUE(requests.empty());
}

TEST(LocalPlugin, SaysThatItsProcsShareThisProcess) {
  const auto plugin = Plugin::load(STOCK_PLUGINS "/liblocal.so");

  ASSERT_TRUE(plugin) << plugin.error().text();
  EXPECT_TRUE((*plugin)->description().can(Capability::kLocalProcs));
  EXPECT_EQ((*plugin)->description().capability_names(),
            (std::vector<std::string>{"signal", "local_procs", "exit_status", "lifeline"}));
}

}  // namespace
}  // namespace hostmesh
