/* The binary interface between hostmesh and an allocator plugin. Plain C11, stable for years: a plugin that
 * was built against version N of this header works with every hostmesh that still speaks version N.
 *
 * Authors in C++ include hostmesh/plugin/sdk.hpp instead and never see this file.
 *
 * Rules, for both sides:
 *  - A struct that may grow starts with its size in bytes as the giver knows it. It grows only at its end;
 * whoever reads a later field or calls a later slot checks the size first. Arrays of such structs come with
 * their stride.
 *  - Views ({data, size}) are valid during the call that passes them; what is kept is copied. They need not
 * end with 0.
 *  - Memory is freed by the side that allocated it. No exception leaves a function of either side.
 *  - The host calls one instance from one thread at a time, never concurrently. Calls of the plugin's must
 * not block: work goes on behind them and is reported. Functions of the host table may be called from any
 * thread, also from inside a call of the host's.
 */
#ifndef HOSTMESH_PLUGIN_ABI_H
#define HOSTMESH_PLUGIN_ABI_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The newest version that this header describes. */
#define HOSTMESH_ABI_VERSION 2u
/* 1: the first.
 * 2: hostmesh_host_table has run_local_proc and use_tcp; hostmesh_launch says what a launch speaks;
 * hostmesh_command may have a marker and carry a connection; hostmesh_plugin_table has local_started and
 * local_ended; hostmesh_error says of which machine. A plugin that can do without these returns a table of
 * version 1 to a host that speaks no more. */

#define HOSTMESH_ERROR_TEXT_SIZE 1000u
#define HOSTMESH_ERROR_NODE_SIZE 256u

typedef struct hostmesh_text {
  const char* data;
  uint64_t size;
} hostmesh_text;

typedef struct hostmesh_bytes {
  const uint8_t* data;
  uint64_t size;
} hostmesh_bytes;

typedef struct hostmesh_text_list {
  const hostmesh_text* items;
  uint64_t count;
} hostmesh_text_list;

/* The host's side of one instance. */
typedef struct hostmesh_host hostmesh_host;
/* The plugin's side of one instance. */
typedef struct hostmesh_instance hostmesh_instance;

/* Why something could not be done. 0 is success wherever a function returns a cause. */
enum {
  HOSTMESH_CAUSE_NONE = 0,
  HOSTMESH_CAUSE_INVALID_ARGUMENT = 1,
  HOSTMESH_CAUSE_CONFIGURATION = 2,
  HOSTMESH_CAUSE_SPAWN_FAILED = 3,
  HOSTMESH_CAUSE_TIMEOUT = 5,
  HOSTMESH_CAUSE_AUTHENTICATION = 7,
  HOSTMESH_CAUSE_PEER_GONE = 9,
  HOSTMESH_CAUSE_REMOTE = 11,
  HOSTMESH_CAUSE_CANCELLED = 12,
  HOSTMESH_CAUSE_RESOURCE_LIMIT = 13,
  HOSTMESH_CAUSE_IO = 14,
  HOSTMESH_CAUSE_PLUGIN = 15
};

/* Filled in by whoever fails, allocated by whoever asks. Longer texts are cut. */
typedef struct hostmesh_error {
  uint32_t size;
  uint32_t cause;
  int32_t os_error; /* errno, 0 when none */
  uint32_t text_size;
  char text[HOSTMESH_ERROR_TEXT_SIZE]; /* one sentence: what failed, on what evidence */
  /* Version 2. */
  uint32_t node_size;
  char node[HOSTMESH_ERROR_NODE_SIZE]; /* the machine that it is about, where that is another one than this */
} hostmesh_error;

/* ---- what a plugin says about itself
 * --------------------------------------------------------------------------- */

/* Capabilities, a set of bits. */
#define HOSTMESH_CAPABILITY_SIGNAL (UINT64_C(1) << 0) /* signal() reaches the child and its process group */
#define HOSTMESH_CAPABILITY_LOCAL_PROCS (UINT64_C(1) << 1)  /* launches are procs inside this very process */
#define HOSTMESH_CAPABILITY_SAME_MACHINE (UINT64_C(1) << 2) /* launches are processes on this machine */
#define HOSTMESH_CAPABILITY_OUTPUT (UINT64_C(1) << 3)       /* output() brings what the child writes */
#define HOSTMESH_CAPABILITY_EXIT_STATUS \
  (UINT64_C(1) << 4)                                    /* exited() carries the child's true code or signal */
#define HOSTMESH_CAPABILITY_LIFELINE (UINT64_C(1) << 5) /* the child's stdin ends when the host dies */

enum {
  HOSTMESH_OPTION_STRING = 1,
  HOSTMESH_OPTION_INTEGER = 2, /* signed, 64 bits */
  HOSTMESH_OPTION_BOOLEAN = 3,
  HOSTMESH_OPTION_DURATION = 4, /* "30s", "500ms", "1m30s" */
  HOSTMESH_OPTION_STRING_LIST = 5
};

typedef struct hostmesh_option {
  hostmesh_text key;
  uint32_t type;
  uint32_t required;    /* 0 or 1 */
  uint32_t has_default; /* 0 or 1; for a list, `default_value` is one item, an empty text an empty list */
  uint32_t reserved;
  hostmesh_text default_value; /* as one would write it in plugins.yaml */
  hostmesh_text doc;           /* one sentence */
} hostmesh_option;

typedef struct hostmesh_description {
  uint32_t size;
  uint32_t option_stride; /* sizeof(hostmesh_option) where the plugin was built */
  hostmesh_text name;
  hostmesh_text version;
  hostmesh_text summary; /* one sentence, may be empty */
  uint64_t capabilities;
  const hostmesh_option* options;
  uint64_t option_count;
} hostmesh_description;

/* ---- what a plugin is given
 * -------------------------------------------------------------------------------------- */

/* One validated option: of the declared type, defaults filled in. An option that is neither set nor has a
 * default does not appear. */
typedef struct hostmesh_config_entry {
  hostmesh_text key;
  uint32_t type;
  uint32_t reserved;
  hostmesh_text text;       /* every type but lists: as it was written */
  int64_t number;           /* integer; boolean 0 or 1; duration in nanoseconds */
  hostmesh_text_list items; /* list */
} hostmesh_config_entry;

typedef struct hostmesh_config {
  uint32_t size;
  uint32_t entry_stride;
  const hostmesh_config_entry* entries;
  uint64_t entry_count;
} hostmesh_config;

enum {
  HOSTMESH_PROTOCOL_NONE = 0,     /* a program like any other */
  HOSTMESH_PROTOCOL_BOOTSTRAP = 1 /* it connects to its owner, and can do so over its stdin and stdout */
};

enum {
  HOSTMESH_STDIN_LIFELINE = 0,        /* stays open after the payload; its end tells the child to exit */
  HOSTMESH_STDIN_PAYLOAD_THEN_EOF = 1 /* closed after the payload */
};

typedef struct hostmesh_launch {
  uint32_t size;
  uint32_t stdin_use;
  uint64_t id; /* names this launch in every report; never used again by this instance */
  uint64_t rank;
  uint32_t incarnation;
  uint32_t reserved;
  hostmesh_text_list argv;         /* argv[0] without '/' is searched in PATH of `environment` */
  hostmesh_text_list environment;  /* "NAME=value", complete */
  hostmesh_text working_directory; /* empty: the launcher's own */
  hostmesh_bytes stdin_payload;    /* may hold secrets: to be written to the child's stdin and nowhere else */
  /* Version 2. */
  uint32_t protocol;
  uint32_t reserved_2;
} hostmesh_launch;

/* ---- what a plugin reports and asks for
 * ------------------------------------------------------------------------- */

enum { HOSTMESH_STREAM_STDOUT = 1, HOSTMESH_STREAM_STDERR = 2 };
enum { HOSTMESH_LOG_DEBUG = 0, HOSTMESH_LOG_INFO = 1, HOSTMESH_LOG_WARNING = 2, HOSTMESH_LOG_ERROR = 3 };
enum { HOSTMESH_EXIT_CODE = 1, HOSTMESH_EXIT_SIGNAL = 2 };

typedef struct hostmesh_exit {
  uint32_t size;
  uint32_t kind;
  int32_t value; /* the code or the signal's number */
  uint32_t core_dumped;
} hostmesh_exit;

enum {
  HOSTMESH_START_EXEC = 0,
  /* A copy of a running instance of the program, made without exec: for programs that begin with
   * bootstrap_if_child(), and the same one for all commands of an instance. */
  HOSTMESH_START_FORK_SERVER = 1
};

enum {
  HOSTMESH_STDOUT_OUTPUT = 0,
  /* With HOSTMESH_PROTOCOL_BOOTSTRAP only. Behind the marker, stdin and stdout are the child's connection to
   * its owner, which the host takes over from there. The child is told so by its environment, with
   * HOSTMESH_BOOTSTRAP_MODE=stdio. The end of the connection is the end of the lifeline. */
  HOSTMESH_STDOUT_CHANNEL = 1
};

/* A command that the host runs as a child of this process: own process group, stdin, stdout and stderr
 * through pipes, killed with this process. */
typedef struct hostmesh_command {
  uint32_t size;
  uint32_t stdin_use;
  hostmesh_text_list argv;
  hostmesh_text_list environment;
  hostmesh_text working_directory;
  hostmesh_bytes stdin_payload;
  /* Empty: the launch is this command, reported with its pid and this machine's name. Else the command is
   * only the way to that node (an ssh client, say): reported with this name and pid 0. */
  hostmesh_text node;
  uint32_t start;
  uint32_t reserved;
  /* Version 2. */
  /* What the command writes to stdout when the launch itself begins; empty: it begins with the command. The
   * launch is reported as launched when the marker has come. What came on stdout before it is not the
   * launch's output: a login shell greets. More than 64 KiB of that, or an end of the command before the
   * marker, and the launch has failed. */
  hostmesh_text marker;
  uint32_t stdout_use;
  uint32_t reserved_2;
} hostmesh_command;

/* The end of a command that spawn_local() runs for a launch. */
typedef struct hostmesh_local_end {
  uint32_t size;
  uint32_t has_started; /* 0 or 1: whether the launch has been reported as launched */
  hostmesh_exit exit;
  hostmesh_text last_lines; /* what it wrote last: stderr, and stdout before the marker; separated by \n */
} hostmesh_local_end;

enum {
  HOSTMESH_LOCAL_END_REPORT = 0, /* the host reports what it saw */
  HOSTMESH_LOCAL_END_FAIL = 1,   /* the launch has failed, or is lost, with *error */
  /* Only when it has not started: the host reports nothing, and the launch is the plugin's again, which calls
   * spawn_local() or failed() for it, now or later. */
  HOSTMESH_LOCAL_END_TAKE_BACK = 2
};

/* Reports. For each launch: launched() once, output() any number of times, then exactly one of exited() and
 * failed(); failed() alone when it never started. All output comes before the end. Nothing after destroy()
 * has returned. A report that breaks these rules is logged and dropped. */
typedef struct hostmesh_host_table {
  uint32_t size;
  uint32_t abi_version;  /* the newest that this host speaks */
  hostmesh_text version; /* of hostmesh, for messages */
  void (*log)(hostmesh_host* host, uint32_t level, hostmesh_text line);
  /* pid: where it runs, 0 when unknown. */
  void (*launched)(hostmesh_host* host, uint64_t id, int64_t pid, hostmesh_text node);
  void (*output)(hostmesh_host* host, uint64_t id, uint32_t stream, hostmesh_bytes bytes);
  void (*exited)(hostmesh_host* host, uint64_t id, const hostmesh_exit* exit);
  /* Never started, or lost. */
  void (*failed)(hostmesh_host* host, uint64_t id, const hostmesh_error* error);
  /* Makes `command` the launch `id`. From then on the host itself reports for that id, and the plugin must
   * not. Returns a cause; a command that cannot be executed is no error here but the launch's failed(). */
  uint32_t (*spawn_local)(hostmesh_host* host, uint64_t id, const hostmesh_command* command,
                          hostmesh_error* error);
  /* For launches made with spawn_local or run_local_proc. Nothing happens when it has ended. */
  void (*signal_local)(hostmesh_host* host, uint64_t id, int32_t signal_number);
  void (*close_stdin_local)(hostmesh_host* host, uint64_t id);
  void (*pause_output_local)(hostmesh_host* host, uint64_t id);
  void (*resume_output_local)(hostmesh_host* host, uint64_t id);
  /* Version 2. Makes the launch `id` a proc inside this very process, with the identity and the secret of its
   * launch() and no command at all. For plugins with CAPABILITY_LOCAL_PROCS; inside launch() or later, before
   * any report. From then on the host itself reports for that id, and the plugin must not: launched() with
   * this process's pid, then the end. signal_local() with TERM, INT or HUP ends it in order, with exit code
   * 0; with KILL at once, as killed by that; other signals do nothing. close_stdin_local() ends its lifeline
   * and with it the proc, at once, with code 1. It has no output of its own. Returns a cause. */
  uint32_t (*run_local_proc)(hostmesh_host* host, uint64_t id, hostmesh_error* error);
  /* Version 2. Inside create() only: what is launched here with HOSTMESH_PROTOCOL_BOOTSTRAP reaches its owner
   * over tcp, and is reached over it, instead of unix sockets; HOSTMESH_BOOTSTRAP_ADDR has that address. */
  void (*use_tcp)(hostmesh_host* host);
} hostmesh_host_table;

typedef struct hostmesh_plugin_table {
  uint32_t size;
  uint32_t abi_version; /* the one that this table follows */
  /* Valid for the life of the process. NULL: see *error. */
  const hostmesh_description* (*describe)(hostmesh_error* error);
  /* NULL: see *error. `host` is this instance's, good until destroy() returns. */
  hostmesh_instance* (*create)(hostmesh_host* host, const hostmesh_config* config, hostmesh_error* error);
  /* Returns a cause; when not 0, the launch has failed with *error and nothing more is reported for it. */
  uint32_t (*launch)(hostmesh_instance* instance, const hostmesh_launch* launch, hostmesh_error* error);
  /* To the child and its process group; nothing happens when it has ended. NULL without CAPABILITY_SIGNAL.
   * It may come before launched(), from launch() on: TERM and KILL then cancel the launch, which ends with
   * failed(), or is reported as launched() and gets the signal then. */
  void (*signal)(hostmesh_instance* instance, uint64_t id, int32_t signal_number);
  /* Ends the lifeline. May be NULL. */
  void (*close_stdin)(hostmesh_instance* instance, uint64_t id);
  /* Backpressure, for launches that are not made with spawn_local. May be NULL: the host then keeps what
   * comes in memory. */
  void (*pause_output)(hostmesh_instance* instance, uint64_t id);
  void (*resume_output)(hostmesh_instance* instance, uint64_t id);
  /* Kills what still runs, ends its threads and frees the instance. Must not block. What was made with
   * spawn_local or run_local_proc is killed by the host. */
  void (*destroy)(hostmesh_instance* instance);
  /* Version 2; both may be NULL, which is as if nothing was done and HOSTMESH_LOCAL_END_REPORT returned. */
  /* The launch `id`, whose command has a marker, is about to be reported as launched. */
  void (*local_started)(hostmesh_instance* instance, uint64_t id);
  /* The command of launch `id` has ended: what that means. */
  uint32_t (*local_ended)(hostmesh_instance* instance, uint64_t id, const hostmesh_local_end* end,
                          hostmesh_error* error);
} hostmesh_plugin_table;

/* The one symbol that a plugin exports. The host speaks every version from min_abi to max_abi; the plugin
 * returns its table for the highest that it speaks as well, or NULL with the reason in *error. The table
 * lives as long as the process: plugins are never unloaded. */
#define HOSTMESH_PLUGIN_ENTRY_NAME "hostmesh_plugin_entry"
typedef const hostmesh_plugin_table* (*hostmesh_plugin_entry_function)(const hostmesh_host_table* host,
                                                                       uint32_t min_abi, uint32_t max_abi,
                                                                       hostmesh_error* error);

#ifdef __cplusplus
}
#endif

#endif
