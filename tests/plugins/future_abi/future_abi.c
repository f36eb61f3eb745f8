/* Speaks an ABI that does not exist yet, and does not care what the host offers. */
#include "hostmesh/plugin/abi.h"

static const hostmesh_plugin_table table = {.size = sizeof(table), .abi_version = 99};

__attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) {
  (void)host, (void)min_abi, (void)max_abi, (void)error;
  return &table;
}
