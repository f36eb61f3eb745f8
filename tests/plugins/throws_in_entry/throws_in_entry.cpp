// Lets an exception out of its entry point, which the SDK would not.
#include <stdexcept>

#include "hostmesh/plugin/abi.h"

extern "C" __attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table*, uint32_t, uint32_t, hostmesh_error*) {
  throw std::runtime_error("out of the entry");
}
