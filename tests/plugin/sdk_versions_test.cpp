// Plugins that were built with another SDK than ours, older or newer: their tables load and run, and what
// they see of us is laid out as they know it.
#include <cstddef>
#include <cstdint>

#include "hostmesh/plugin/abi.h"

// Version 1 beside today's, under other names.
#undef HOSTMESH_PLUGIN_ABI_H
#undef HOSTMESH_ABI_VERSION
namespace v1 {
#include "sdk_v1/hostmesh/plugin/abi.h"
constexpr unsigned kVersion = HOSTMESH_ABI_VERSION;
}  // namespace v1

#include "plugin/launch_bench.hpp"

namespace hostmesh {
namespace {

static_assert(v1::kVersion == 1);

// What was there is where it was, and is as long.
#define SAME_PLACE(type, field)                                         \
  static_assert(offsetof(v1::type, field) == offsetof(::type, field) && \
                sizeof(v1::type::field) == sizeof(::type::field))
#define GROWN_AT_ITS_END(type) static_assert(sizeof(::type) >= sizeof(v1::type))
#define UNCHANGED(type) static_assert(sizeof(::type) == sizeof(v1::type))

UNCHANGED(hostmesh_text);
UNCHANGED(hostmesh_bytes);
UNCHANGED(hostmesh_text_list);

GROWN_AT_ITS_END(hostmesh_host_table);
SAME_PLACE(hostmesh_host_table, size);
SAME_PLACE(hostmesh_host_table, abi_version);
SAME_PLACE(hostmesh_host_table, version);
SAME_PLACE(hostmesh_host_table, log);
SAME_PLACE(hostmesh_host_table, launched);
SAME_PLACE(hostmesh_host_table, output);
SAME_PLACE(hostmesh_host_table, exited);
SAME_PLACE(hostmesh_host_table, failed);
SAME_PLACE(hostmesh_host_table, spawn_local);
SAME_PLACE(hostmesh_host_table, signal_local);
SAME_PLACE(hostmesh_host_table, close_stdin_local);
SAME_PLACE(hostmesh_host_table, pause_output_local);
SAME_PLACE(hostmesh_host_table, resume_output_local);

GROWN_AT_ITS_END(hostmesh_plugin_table);
SAME_PLACE(hostmesh_plugin_table, size);
SAME_PLACE(hostmesh_plugin_table, abi_version);
SAME_PLACE(hostmesh_plugin_table, describe);
SAME_PLACE(hostmesh_plugin_table, create);
SAME_PLACE(hostmesh_plugin_table, launch);
SAME_PLACE(hostmesh_plugin_table, signal);
SAME_PLACE(hostmesh_plugin_table, close_stdin);
SAME_PLACE(hostmesh_plugin_table, pause_output);
SAME_PLACE(hostmesh_plugin_table, resume_output);
SAME_PLACE(hostmesh_plugin_table, destroy);

GROWN_AT_ITS_END(hostmesh_error);
SAME_PLACE(hostmesh_error, size);
SAME_PLACE(hostmesh_error, cause);
SAME_PLACE(hostmesh_error, os_error);
SAME_PLACE(hostmesh_error, text_size);
SAME_PLACE(hostmesh_error, text);

GROWN_AT_ITS_END(hostmesh_option);
SAME_PLACE(hostmesh_option, key);
SAME_PLACE(hostmesh_option, type);
SAME_PLACE(hostmesh_option, required);
SAME_PLACE(hostmesh_option, has_default);
SAME_PLACE(hostmesh_option, default_value);
SAME_PLACE(hostmesh_option, doc);

GROWN_AT_ITS_END(hostmesh_description);
SAME_PLACE(hostmesh_description, size);
SAME_PLACE(hostmesh_description, option_stride);
SAME_PLACE(hostmesh_description, name);
SAME_PLACE(hostmesh_description, version);
SAME_PLACE(hostmesh_description, summary);
SAME_PLACE(hostmesh_description, capabilities);
SAME_PLACE(hostmesh_description, options);
SAME_PLACE(hostmesh_description, option_count);

GROWN_AT_ITS_END(hostmesh_config_entry);
SAME_PLACE(hostmesh_config_entry, key);
SAME_PLACE(hostmesh_config_entry, type);
SAME_PLACE(hostmesh_config_entry, text);
SAME_PLACE(hostmesh_config_entry, number);
SAME_PLACE(hostmesh_config_entry, items);

GROWN_AT_ITS_END(hostmesh_config);
SAME_PLACE(hostmesh_config, size);
SAME_PLACE(hostmesh_config, entry_stride);
SAME_PLACE(hostmesh_config, entries);
SAME_PLACE(hostmesh_config, entry_count);

GROWN_AT_ITS_END(hostmesh_launch);
SAME_PLACE(hostmesh_launch, size);
SAME_PLACE(hostmesh_launch, stdin_use);
SAME_PLACE(hostmesh_launch, id);
SAME_PLACE(hostmesh_launch, rank);
SAME_PLACE(hostmesh_launch, incarnation);
SAME_PLACE(hostmesh_launch, argv);
SAME_PLACE(hostmesh_launch, environment);
SAME_PLACE(hostmesh_launch, working_directory);
SAME_PLACE(hostmesh_launch, stdin_payload);

GROWN_AT_ITS_END(hostmesh_exit);
SAME_PLACE(hostmesh_exit, size);
SAME_PLACE(hostmesh_exit, kind);
SAME_PLACE(hostmesh_exit, value);
SAME_PLACE(hostmesh_exit, core_dumped);

GROWN_AT_ITS_END(hostmesh_command);
SAME_PLACE(hostmesh_command, size);
SAME_PLACE(hostmesh_command, stdin_use);
SAME_PLACE(hostmesh_command, argv);
SAME_PLACE(hostmesh_command, environment);
SAME_PLACE(hostmesh_command, working_directory);
SAME_PLACE(hostmesh_command, stdin_payload);
SAME_PLACE(hostmesh_command, node);
SAME_PLACE(hostmesh_command, start);

std::shared_ptr<Plugin> load(const std::string& name) {
  auto plugin = Plugin::load(SAMPLE_PLUGINS "/lib" + name + ".so");
  EXPECT_TRUE(plugin) << plugin.error().text();
  return plugin ? *plugin : nullptr;
}

class AnotherSdk : public ::testing::TestWithParam<const char*> {};

TEST_P(AnotherSdk, LoadsAndRunsCommands) {
  const auto plugin = load(GetParam());
  ASSERT_TRUE(plugin);
  LaunchBench bench;
  ASSERT_EQ(bench.open(*plugin), "");

  bench.launch(1, {"sh", "-c", "read line; echo \"$line\"; exit 7"}, "what was fed in\n");
  const LaunchRecord record = bench.wait_end(1);

  EXPECT_EQ(record.launched, 1);
  EXPECT_GT(record.pid, 0);
  EXPECT_EQ(record.out, "what was fed in\n");
  EXPECT_EQ(record.status, ExitStatus::exited(7)) << record.error.text();
}

INSTANTIATE_TEST_SUITE_P(OfVersion, AnotherSdk, ::testing::Values("sdk_v1_c", "sdk_v1_cpp", "sdk_next"),
                         [](const auto& each) { return std::string(each.param); });

TEST(SdkV1, IsSpokenWithInItsOwnVersion) {
  const auto plugin = load("sdk_v1_cpp");
  ASSERT_TRUE(plugin);

  EXPECT_EQ(plugin->description().abi_version, 1U);
  EXPECT_EQ(plugin->description().summary, "built with SDK version 1");
  ASSERT_EQ(plugin->description().options.size(), 1U);
  EXPECT_EQ(plugin->description().options[0].default_value, OptionValue("hello from version 1"));
}

TEST(SdkV1, ReportsWhatItDoesByItself) {
  const auto plugin = load("sdk_v1_cpp");
  ASSERT_TRUE(plugin);
  LaunchBench bench;
  ASSERT_EQ(bench.open(*plugin, {{"greeting", std::string("still here")}}), "");

  bench.launch(1, {"greet"});
  const LaunchRecord record = bench.wait_end(1);

  EXPECT_EQ(record.node, "version_1");
  EXPECT_EQ(record.out, "still here");
  EXPECT_EQ(record.status, ExitStatus::exited(1));
}

TEST(SdkNext, ItsLongerRowsAreReadAtTheirStride) {
  const auto plugin = load("sdk_next");
  ASSERT_TRUE(plugin);

  const auto& options = plugin->description().options;
  ASSERT_EQ(options.size(), 2U);
  EXPECT_EQ(options[0].key, "first");
  EXPECT_EQ(options[0].default_value, OptionValue(std::int64_t{1}));
  EXPECT_EQ(options[1].key, "second");
}

}  // namespace
}  // namespace hostmesh
