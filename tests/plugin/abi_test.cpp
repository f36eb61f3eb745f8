// The layout of versions 1 and 2, for ever: plugins that were built against it are out there. A field that is
// added goes to the end, changes a size here, and makes the old size the least that the host accepts.
#include "hostmesh/plugin/abi.h"

#include <gtest/gtest.h>

namespace {

TEST(Abi, StructsKeepTheirSizes) {
  EXPECT_EQ(sizeof(hostmesh_text), 16U);
  EXPECT_EQ(sizeof(hostmesh_bytes), 16U);
  EXPECT_EQ(sizeof(hostmesh_text_list), 16U);
  EXPECT_EQ(sizeof(hostmesh_error), 1016U);
  EXPECT_EQ(sizeof(hostmesh_option), 64U);
  EXPECT_EQ(sizeof(hostmesh_description), 80U);
  EXPECT_EQ(sizeof(hostmesh_config_entry), 64U);
  EXPECT_EQ(sizeof(hostmesh_config), 24U);
  EXPECT_EQ(sizeof(hostmesh_launch), 104U);
  EXPECT_EQ(sizeof(hostmesh_exit), 16U);
  EXPECT_EQ(sizeof(hostmesh_command), 120U);
  EXPECT_EQ(sizeof(hostmesh_host_table), 112U);
  EXPECT_EQ(sizeof(hostmesh_plugin_table), 88U);
  EXPECT_EQ(sizeof(hostmesh_local_end), 40U);
}

TEST(Abi, FieldsKeepTheirPlaces) {
  EXPECT_EQ(offsetof(hostmesh_host_table, size), 0U);
  EXPECT_EQ(offsetof(hostmesh_host_table, abi_version), 4U);
  EXPECT_EQ(offsetof(hostmesh_host_table, log), 24U);
  EXPECT_EQ(offsetof(hostmesh_host_table, failed), 56U);
  EXPECT_EQ(offsetof(hostmesh_host_table, spawn_local), 64U);
  EXPECT_EQ(offsetof(hostmesh_host_table, resume_output_local), 96U);
  EXPECT_EQ(offsetof(hostmesh_host_table, run_local_proc), 104U);
  EXPECT_EQ(offsetof(hostmesh_plugin_table, abi_version), 4U);
  EXPECT_EQ(offsetof(hostmesh_plugin_table, describe), 8U);
  EXPECT_EQ(offsetof(hostmesh_plugin_table, launch), 24U);
  EXPECT_EQ(offsetof(hostmesh_plugin_table, destroy), 64U);
  EXPECT_EQ(offsetof(hostmesh_plugin_table, local_started), 72U);
  EXPECT_EQ(offsetof(hostmesh_plugin_table, local_ended), 80U);
  EXPECT_EQ(offsetof(hostmesh_launch, id), 8U);
  EXPECT_EQ(offsetof(hostmesh_launch, argv), 32U);
  EXPECT_EQ(offsetof(hostmesh_launch, stdin_payload), 80U);
  EXPECT_EQ(offsetof(hostmesh_launch, protocol), 96U);
  EXPECT_EQ(offsetof(hostmesh_command, node), 72U);
  EXPECT_EQ(offsetof(hostmesh_command, marker), 96U);
  EXPECT_EQ(offsetof(hostmesh_command, stdout_use), 112U);
  EXPECT_EQ(offsetof(hostmesh_error, text), 16U);
}

}  // namespace
