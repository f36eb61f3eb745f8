/* A plugin of a version that is yet to come, as far as this host can see: every struct that it gives has
 * grown at its end, and it settles for the newest version that the host speaks. */
#include <stdlib.h>
#include <string.h>

#include "hostmesh/plugin/abi.h"

struct next_option {
  hostmesh_option now;
  hostmesh_text unit;
};

struct next_description {
  hostmesh_description now;
  hostmesh_text home_page;
};

struct next_table {
  hostmesh_plugin_table now;
  void (*later[4])(hostmesh_instance* instance);
};

struct hostmesh_instance {
  hostmesh_host* host;
};

static const hostmesh_host_table* host_table;

static hostmesh_text text(const char* words) {
  hostmesh_text view = {words, strlen(words)};
  return view;
}

/* No host of today may call it. */
static void not_yet(hostmesh_instance* instance) {
  (void)instance;
  abort();
}

static const hostmesh_description* describe(hostmesh_error* error) {
  static struct next_option options[2];
  static struct next_description description;
  (void)error;
  options[0].now.key = text("first");
  options[0].now.type = HOSTMESH_OPTION_INTEGER;
  options[0].now.has_default = 1;
  options[0].now.default_value = text("1");
  options[1].now.key = text("second");
  options[1].now.type = HOSTMESH_OPTION_STRING;
  options[0].unit = options[1].unit = text("miles");
  description.now.size = sizeof(description);
  description.now.option_stride = sizeof(struct next_option);
  description.now.name = text("sdk_next");
  description.now.version = text("0.1");
  description.now.options = &options[0].now;
  description.now.option_count = 2;
  description.home_page = text("nowhere");
  return &description.now;
}

static hostmesh_instance* create(hostmesh_host* host, const hostmesh_config* config, hostmesh_error* error) {
  hostmesh_instance* instance = malloc(sizeof(*instance));
  (void)config, (void)error;
  if (instance != NULL) instance->host = host;
  return instance;
}

static uint32_t launch(hostmesh_instance* instance, const hostmesh_launch* request, hostmesh_error* error) {
  struct next_command {
    hostmesh_command now;
    hostmesh_text later;
  } command = {.now = {.stdin_use = request->stdin_use,
                       .argv = request->argv,
                       .environment = request->environment,
                       .working_directory = request->working_directory,
                       .stdin_payload = request->stdin_payload},
               .later = text("later")};
  command.now.size = sizeof(command);
  return host_table->spawn_local(instance->host, request->id, &command.now, error);
}

static void destroy(hostmesh_instance* instance) {
  free(instance);
}

__attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) {
  static struct next_table table = {
      .now = {.describe = describe, .create = create, .launch = launch, .destroy = destroy},
      .later = {not_yet, not_yet, not_yet, not_yet}};
  (void)min_abi, (void)error;
  table.now.size = sizeof(table);
  table.now.abi_version = max_abi;
  host_table = host;
  return &table.now;
}
