/* The allocator `c_allocator`, in C alone: every launch is a process of this machine, which the host starts
 * and watches for us. */
#include <hostmesh/plugin/abi.h>
#include <stdlib.h>
#include <string.h>

/* Good for the life of the process. */
static const hostmesh_host_table* host_functions;

struct hostmesh_instance {
  hostmesh_host* host;
};

static hostmesh_text text(const char* words) {
  const hostmesh_text view = {words, strlen(words)};
  return view;
}

static uint32_t fail(hostmesh_error* error, uint32_t cause, const char* why) {
  const size_t size = strlen(why) < HOSTMESH_ERROR_TEXT_SIZE ? strlen(why) : HOSTMESH_ERROR_TEXT_SIZE;
  error->cause = cause;
  error->text_size = (uint32_t)size;
  memcpy(error->text, why, size);
  return cause;
}

static const hostmesh_description* describe(hostmesh_error* error) {
  static hostmesh_description description;
  (void)error;
  description.size = sizeof(description);
  description.option_stride = sizeof(hostmesh_option);
  description.name = text("c_allocator");
  description.version = text("0.1.0");
  description.summary = text("processes of this machine, from C");
  description.capabilities = HOSTMESH_CAPABILITY_SIGNAL | HOSTMESH_CAPABILITY_SAME_MACHINE |
                             HOSTMESH_CAPABILITY_OUTPUT | HOSTMESH_CAPABILITY_EXIT_STATUS |
                             HOSTMESH_CAPABILITY_LIFELINE;
  return &description;
}

static hostmesh_instance* create(hostmesh_host* host, const hostmesh_config* config, hostmesh_error* error) {
  hostmesh_instance* instance = malloc(sizeof(*instance));
  (void)config; /* it has declared no options */
  if (instance == NULL) {
    fail(error, HOSTMESH_CAUSE_RESOURCE_LIMIT, "there is no memory");
    return NULL;
  }
  instance->host = host;
  return instance;
}

static uint32_t launch(hostmesh_instance* instance, const hostmesh_launch* request, hostmesh_error* error) {
  const hostmesh_command command = {.size = sizeof(command),
                                    .stdin_use = request->stdin_use,
                                    .argv = request->argv,
                                    .environment = request->environment,
                                    .working_directory = request->working_directory,
                                    .stdin_payload = request->stdin_payload};
  return host_functions->spawn_local(instance->host, request->id, &command, error);
}

static void signal_launch(hostmesh_instance* instance, uint64_t id, int32_t signal_number) {
  host_functions->signal_local(instance->host, id, signal_number);
}

static void close_stdin(hostmesh_instance* instance, uint64_t id) {
  host_functions->close_stdin_local(instance->host, id);
}

/* What still runs is killed by the host. */
static void destroy(hostmesh_instance* instance) {
  free(instance);
}

static const hostmesh_plugin_table table = {.size = sizeof(table),
                                            .abi_version = 1, /* the least that has all we use */
                                            .describe = describe,
                                            .create = create,
                                            .launch = launch,
                                            .signal = signal_launch,
                                            .close_stdin = close_stdin,
                                            .destroy = destroy};

__attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(
    const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) {
  if (min_abi > 1 || max_abi < 1) {
    fail(error, HOSTMESH_CAUSE_PLUGIN, "this plugin speaks ABI version 1");
    return NULL;
  }
  host_functions = host;
  return &table;
}
