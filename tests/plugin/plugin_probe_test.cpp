// Plugins that end, or never give back, the process that loads them: this one lives on and says why not.
#include "hostmesh/plugin/plugin_probe.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "hostmesh/plugin/plugin.hpp"
#include "plugin/launch_bench.hpp"

namespace hostmesh {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// A bound on a hang where the plugin does not hang, and what is waited for in vain where it does.
constexpr Duration kLong = 50s;
constexpr Duration kShort = 300ms;

fs::path sample(const std::string& name) {
  return fs::path(SAMPLE_PLUGINS) / ("lib" + name + ".so");
}

std::string error_of(const std::string& name, Duration timeout) {
  const auto plugin = Plugin::load(sample(name), {.timeout = timeout});
  if (plugin) return "no error";
  EXPECT_EQ(plugin.error().cause(), Cause::kPlugin);
  return plugin.error().text();
}

struct Deadly {
  const char* plugin;
  Duration timeout;
  const char* reason;
};

std::string name_of(const ::testing::TestParamInfo<Deadly>& info) {
  return info.param.plugin;
}

class DeadlyPlugin : public ::testing::TestWithParam<Deadly> {};

TEST_P(DeadlyPlugin, IsRefusedWithItsFileAndTheReason) {
  const Deadly& deadly = GetParam();

  const std::string error = error_of(deadly.plugin, deadly.timeout);

  EXPECT_TRUE(error.starts_with("phase load: plugin file " + sample(deadly.plugin).string() +
                                " refused: " + deadly.reason))
      << error;
}

// The address sanitizer turns a crash into an exit with a report.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr const char* kCrashed = "being loaded it ended the process that tried it: exited with code";
constexpr const char* kCrashedEntering = "in its entry point it ended the process that tried it: exited";
constexpr const char* kCrashedDescribing = "describing itself it ended the process that tried it: exited";
#else
constexpr const char* kCrashed =
    "being loaded it ended the process that tried it: killed by signal 11 (SEGV)";
constexpr const char* kCrashedEntering =
    "in its entry point it ended the process that tried it: killed by signal 11 (SEGV)";
constexpr const char* kCrashedDescribing =
    "describing itself it ended the process that tried it: killed by signal 11 (SEGV)";
#endif

INSTANTIATE_TEST_SUITE_P(
    AtLoad, DeadlyPlugin,
    ::testing::Values(Deadly{"at_load_aborts", kLong,
                             "being loaded it ended the process that tried it: killed by signal 6 (ABRT)"},
                      Deadly{"at_load_exits", kLong,
                             "being loaded it ended the process that tried it: exited with code 0"},
                      Deadly{"at_load_crashes", kLong, kCrashed},
                      Deadly{"at_load_hangs", kShort, "being loaded it did not return within 300ms"}),
    name_of);
INSTANTIATE_TEST_SUITE_P(
    AtEntry, DeadlyPlugin,
    ::testing::Values(
        Deadly{"at_entry_aborts", kLong,
               "in its entry point it ended the process that tried it: killed by signal 6 (ABRT)"},
        Deadly{"at_entry_exits", kLong,
               "in its entry point it ended the process that tried it: exited with code 0"},
        Deadly{"at_entry_crashes", kLong, kCrashedEntering},
        // The time is for the whole: a slow machine may not have come that far.
        Deadly{"at_entry_hangs", 5s, "in its entry point it did not return within 5s"}),
    name_of);
INSTANTIATE_TEST_SUITE_P(
    AtDescribe, DeadlyPlugin,
    ::testing::Values(
        Deadly{"at_describe_aborts", kLong,
               "describing itself it ended the process that tried it: killed by signal 6 (ABRT)"},
        Deadly{"at_describe_exits", kLong,
               "describing itself it ended the process that tried it: exited with code 0"},
        Deadly{"at_describe_crashes", kLong, kCrashedDescribing},
        Deadly{"at_describe_hangs", 5s, "describing itself it did not return within 5s"}),
    name_of);

TEST(PluginProbe, QuotesTheLastWords) {
  EXPECT_NE(error_of("at_load_exits", kLong).find("; its last words: the end is near"), std::string::npos);
}

TEST(PluginProbe, LeavesNoProcessBehind) {
  error_of("at_load_hangs", kShort);
  error_of("at_load_aborts", kLong);

  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST(PluginProbe, IsNotTakenForAnOrphan) {
  // Whoever looks for orphans while a plugin is on trial finds it owned.
  const auto registry = std::make_shared<ChildRegistry>();

  const auto refused = probe_plugin(sample("at_load_exits"), {.timeout = kLong, .registry = registry});

  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().text().find("exited with code 0"), std::string::npos);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(PluginProbe, CanBeCancelled) {
  const auto cancel = std::make_shared<Cancel>();
  cancel->request();

  const auto refused = probe_plugin(sample("at_load_hangs"), {.timeout = kLong, .cancel = cancel});

  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().cause(), Cause::kCancelled);
}

TEST(PluginProbe, IsForPluginsThatAreNotLoadedYet) {
  ASSERT_TRUE(Plugin::load(sample("plain_c"), {.timeout = kLong}));

  const auto cancelled = std::make_shared<Cancel>();
  cancelled->request();
  // Whoever tries it out would have to wait, and may not.
  EXPECT_TRUE(probe_plugin(fs::canonical(sample("plain_c")), {.timeout = kLong, .cancel = cancelled}));
  EXPECT_FALSE(probe_plugin(fs::canonical(sample("at_load_hangs")), {.timeout = kLong, .cancel = cancelled}));
}

}  // namespace
}  // namespace hostmesh
