/* The smallest plugin of ABI version 1, in C: a table of exactly its size, without the optional slots. */
#include <stdlib.h>
#include <string.h>

#include "hostmesh/plugin/abi.h"

static const hostmesh_host_table* host_table;

struct hostmesh_instance {
  hostmesh_host* host;
};

static hostmesh_text text(const char* words) {
  hostmesh_text view = {words, strlen(words)};
  return view;
}

static const hostmesh_description* describe(hostmesh_error* error) {
  static hostmesh_description description;
  (void)error;
  description.size = sizeof(description);
  description.option_stride = sizeof(hostmesh_option);
  description.name = text("sdk_v1_c");
  description.version = text("0.1");
  return &description;
}

static hostmesh_instance* create(hostmesh_host* host, const hostmesh_config* config, hostmesh_error* error) {
  hostmesh_instance* instance = malloc(sizeof(*instance));
  (void)config, (void)error;
  if (instance != NULL) instance->host = host;
  return instance;
}

static uint32_t launch(hostmesh_instance* instance, const hostmesh_launch* request, hostmesh_error* error) {
  hostmesh_command command = {.size = sizeof(command),
                              .stdin_use = request->stdin_use,
                              .argv = request->argv,
                              .environment = request->environment,
                              .working_directory = request->working_directory,
                              .stdin_payload = request->stdin_payload};
  return host_table->spawn_local(instance->host, request->id, &command, error);
}

static void destroy(hostmesh_instance* instance) {
  free(instance);
}

static const hostmesh_plugin_table table = {.size = sizeof(table),
                                            .abi_version = 1,
                                            .describe = describe,
                                            .create = create,
                                            .launch = launch,
                                            .destroy = destroy};

__attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) {
  (void)error;
  host_table = host;
  return min_abi <= 1 && max_abi >= 1 ? &table : NULL;
}
