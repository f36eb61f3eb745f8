/* Returns no table, and says why. */
#include <string.h>

#include "hostmesh/plugin/abi.h"

__attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) {
  static const char kReason[] = "the moon is not full";
  (void)host, (void)min_abi, (void)max_abi;
  error->cause = HOSTMESH_CAUSE_PLUGIN;
  error->text_size = sizeof(kReason) - 1;
  memcpy(error->text, kReason, sizeof(kReason) - 1);
  return NULL;
}
