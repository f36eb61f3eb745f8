/* Does DEED to its process AT a point where no error can be returned: at_load, at_entry or at_describe. One
 * library for each pair, made by the CMakeLists.txt. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hostmesh/plugin/abi.h"

#define aborts() abort()
#define exits() exit(0)
#define crashes() (*(volatile int*)16 = 1)
#define hangs() \
  for (;;) pause()

#if defined(AT_LOAD)
__attribute__((constructor)) static void at_load(void) {
  fputs("the end is near\n", stderr);
  DEED();
}
#endif

static const hostmesh_description* describe(hostmesh_error* error) {
  (void)error;
#if defined(AT_DESCRIBE)
  DEED();
#endif
  return NULL;
}

static hostmesh_instance* create(hostmesh_host* host, const hostmesh_config* config, hostmesh_error* error) {
  (void)host, (void)config, (void)error;
  return NULL;
}
static uint32_t launch(hostmesh_instance* instance, const hostmesh_launch* request, hostmesh_error* error) {
  (void)instance, (void)request, (void)error;
  return HOSTMESH_CAUSE_PLUGIN;
}
static void destroy(hostmesh_instance* instance) {
  (void)instance;
}

static const hostmesh_plugin_table table = {.size = sizeof(table),
                                            .abi_version = 1,
                                            .describe = describe,
                                            .create = create,
                                            .launch = launch,
                                            .destroy = destroy};

__attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) {
  (void)host, (void)min_abi, (void)max_abi, (void)error;
#if defined(AT_ENTRY)
  DEED();
#endif
  return &table;
}
