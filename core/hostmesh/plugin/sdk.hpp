// What an author of an allocator plugin includes, and all that he needs: C++20 on top of the C interface of
// abi.h.
//
//   class Mine : public hostmesh::plugin::Launcher {
//    public:
//     static hostmesh::plugin::Description describe();              // optional: capabilities, options
//     Mine(const hostmesh::plugin::Config&, const hostmesh::plugin::Host&);
//     void launch(const hostmesh::plugin::LaunchRequest&) override;
//     void signal(hostmesh::plugin::LaunchId, int signal_number) override;
//   };
//   HOSTMESH_PLUGIN(Mine, "mine", "1.0.0")
//
// There is one Launcher for each configured allocator in use. The host calls it from one thread at a time and
// expects each call to return at once; what happens is reported through Host, from any thread, until the
// destructor returns. Exceptions may be thrown anywhere in a call: they become the error of that call.
// Compile with hidden visibility and link with -z nodelete, as hostmesh_add_plugin() does.
#pragma once

#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <vector>

#include "hostmesh/plugin/abi.h"

namespace hostmesh::plugin {

using LaunchId = std::uint64_t;
using Duration = std::chrono::nanoseconds;

enum class Cause : std::uint32_t {
  kInvalidArgument = HOSTMESH_CAUSE_INVALID_ARGUMENT,
  kConfiguration = HOSTMESH_CAUSE_CONFIGURATION,
  kSpawnFailed = HOSTMESH_CAUSE_SPAWN_FAILED,
  kTimeout = HOSTMESH_CAUSE_TIMEOUT,
  kAuthentication = HOSTMESH_CAUSE_AUTHENTICATION,
  kPeerGone = HOSTMESH_CAUSE_PEER_GONE,
  kRemote = HOSTMESH_CAUSE_REMOTE,
  kCancelled = HOSTMESH_CAUSE_CANCELLED,
  kResourceLimit = HOSTMESH_CAUSE_RESOURCE_LIMIT,
  kIo = HOSTMESH_CAUSE_IO,
  kPlugin = HOSTMESH_CAUSE_PLUGIN,
};

// Throw it where the cause matters; any other exception is Cause::kPlugin, a std::system_error keeps its
// errno.
class Error : public std::runtime_error {
 public:
  Error(Cause cause, const std::string& text, int os_error = 0)
      : std::runtime_error(text), cause_(cause), os_error_(os_error) {}
  Cause cause() const { return cause_; }
  int os_error() const { return os_error_; }

 private:
  Cause cause_;
  int os_error_;
};

// ---- what a plugin says about itself ----

enum class Capability : std::uint64_t {
  kSignal = HOSTMESH_CAPABILITY_SIGNAL,             // signal() reaches the child and its process group
  kLocalProcs = HOSTMESH_CAPABILITY_LOCAL_PROCS,    // launches are procs inside this process
  kSameMachine = HOSTMESH_CAPABILITY_SAME_MACHINE,  // launches are processes on this machine
  kOutput = HOSTMESH_CAPABILITY_OUTPUT,             // Host::output() brings what the child writes
  kExitStatus = HOSTMESH_CAPABILITY_EXIT_STATUS,    // the child's true code or signal is reported
  kLifeline = HOSTMESH_CAPABILITY_LIFELINE,         // the child's stdin ends when the host dies
};

enum class OptionType : std::uint32_t {
  kString = HOSTMESH_OPTION_STRING,
  kInteger = HOSTMESH_OPTION_INTEGER,
  kBoolean = HOSTMESH_OPTION_BOOLEAN,
  kDuration = HOSTMESH_OPTION_DURATION,
  kStringList = HOSTMESH_OPTION_STRING_LIST,
};

struct Option {
  std::string key;
  OptionType type = OptionType::kString;
  // As one would write it in plugins.yaml. For a list one item, or "" for an empty list.
  std::optional<std::string> default_value{};
  bool required = false;
  std::string doc{};  // one sentence
};

struct Description {
  std::vector<Capability> capabilities{};
  std::vector<Option> options{};
  std::string summary{};  // one sentence
};

// ---- what a plugin is given ----

// The allocator's options, checked by the host against describe(): types are right, required ones are there
// and defaults are filled in. Asking for an option that was not declared, or as another type, throws.
class Config {
 public:
  explicit Config(const hostmesh_config& config);

  bool has(std::string_view key) const { return find(key) != nullptr; }
  const std::string& text(std::string_view key) const { return get(key, OptionType::kString).text; }
  std::int64_t integer(std::string_view key) const { return get(key, OptionType::kInteger).number; }
  bool boolean(std::string_view key) const { return get(key, OptionType::kBoolean).number != 0; }
  Duration duration(std::string_view key) const { return Duration(get(key, OptionType::kDuration).number); }
  const std::vector<std::string>& list(std::string_view key) const {
    return get(key, OptionType::kStringList).items;
  }

 private:
  struct Entry {
    std::string key;
    OptionType type;
    std::string text;
    std::int64_t number;
    std::vector<std::string> items;
  };
  const Entry* find(std::string_view key) const {
    for (const Entry& entry : entries_) {
      if (entry.key == key) return &entry;
    }
    return nullptr;
  }
  const Entry& get(std::string_view key, OptionType type) const {
    const Entry* entry = find(key);
    if (entry == nullptr) throw Error(Cause::kPlugin, "option '" + std::string(key) + "' has no value");
    if (entry->type != type)
      throw Error(Cause::kPlugin, "option '" + std::string(key) + "' is of another type");
    return *entry;
  }

  std::vector<Entry> entries_;
};

enum class StdinUse : std::uint32_t {
  kLifeline = HOSTMESH_STDIN_LIFELINE,  // stays open after the payload; its end tells the child to exit
  kPayloadThenEof = HOSTMESH_STDIN_PAYLOAD_THEN_EOF,  // closed after the payload
};

enum class Protocol : std::uint32_t {
  kNone = HOSTMESH_PROTOCOL_NONE,            // a program like any other
  kBootstrap = HOSTMESH_PROTOCOL_BOOTSTRAP,  // connects to its owner, if need be over its stdin and stdout
};

// A value that may be kept.
struct LaunchRequest {
  LaunchId id = 0;
  std::uint64_t rank = 0;
  std::uint32_t incarnation = 0;
  std::vector<std::string> argv;            // argv[0] without '/' is searched in PATH of `environment`
  std::vector<std::string> environment;     // "NAME=value", complete
  std::string working_directory;            // empty: the launcher's own
  std::vector<std::uint8_t> stdin_payload;  // may hold secrets: for the child's stdin and nothing else
  StdinUse stdin_use = StdinUse::kLifeline;
  Protocol protocol = Protocol::kNone;
};

// How a command comes to run; see abi.h.
enum class Start : std::uint32_t { kExec = HOSTMESH_START_EXEC, kForkServer = HOSTMESH_START_FORK_SERVER };

enum class StdoutUse : std::uint32_t {
  kOutput = HOSTMESH_STDOUT_OUTPUT,
  // With Protocol::kBootstrap: stdin and stdout are the child's connection to its owner. Set
  // HOSTMESH_BOOTSTRAP_MODE=stdio in the child's environment.
  kChannel = HOSTMESH_STDOUT_CHANNEL,
};

// A command for the host to run here, as a child of this process.
struct Command {
  std::vector<std::string> argv{};
  std::vector<std::string> environment{};
  std::string working_directory{};
  std::vector<std::uint8_t> stdin_payload{};
  StdinUse stdin_use = StdinUse::kLifeline;
  // Set when the command is only the way to that node: the launch is reported with this name and no pid.
  std::string node{};
  Start start = Start::kExec;
  // What comes on stdout when the launch itself begins; what comes before is a greeting. The following two
  // are for hosts that speak ABI version 2.
  std::string marker{};
  StdoutUse stdout_use = StdoutUse::kOutput;
};

// The end of a command with a marker, and what that means for its launch.
struct LocalEnd {
  bool has_started = false;  // the marker had come
  enum class How : std::uint32_t { kCode = HOSTMESH_EXIT_CODE, kSignal = HOSTMESH_EXIT_SIGNAL } how{};
  int number = 0;          // the code or the signal
  std::string last_lines;  // stderr, and the greeting
};
struct LocalVerdict {
  enum class What : std::uint32_t {
    kReport = HOSTMESH_LOCAL_END_REPORT,       // the host reports what it saw
    kFail = HOSTMESH_LOCAL_END_FAIL,           // the launch has failed, or is lost, for this reason
    kTakeBack = HOSTMESH_LOCAL_END_TAKE_BACK,  // only before it has started: it is the plugin's again
  } what = What::kReport;
  Cause cause = Cause::kSpawnFailed;
  std::string text{};
  std::string node{};  // the machine that it is about, where that is another one than this
};

// ---- what a plugin reports and asks for ----

enum class Stream : std::uint32_t { kStdout = HOSTMESH_STREAM_STDOUT, kStderr = HOSTMESH_STREAM_STDERR };

// A value; any thread. For each launch: launched() once, output() any number of times, then one of exited(),
// killed() and failed(); failed() alone when it never started.
class Host {
 public:
  Host(const hostmesh_host_table* table, hostmesh_host* host) : table_(table), host_(host) {}

  void debug(std::string_view line) const noexcept { log(HOSTMESH_LOG_DEBUG, line); }
  void info(std::string_view line) const noexcept { log(HOSTMESH_LOG_INFO, line); }
  void warning(std::string_view line) const noexcept { log(HOSTMESH_LOG_WARNING, line); }
  void error(std::string_view line) const noexcept { log(HOSTMESH_LOG_ERROR, line); }

  // pid: where it runs, 0 when unknown.
  void launched(LaunchId id, std::int64_t pid, std::string_view node) const noexcept;
  void output(LaunchId id, Stream stream, std::span<const std::uint8_t> bytes) const noexcept;
  void exited(LaunchId id, int code) const noexcept;
  void killed(LaunchId id, int signal_number, bool core_dumped = false) const noexcept;
  // node: the machine that it is about, where that is another one than this.
  void failed(LaunchId id, Cause cause, std::string_view text, int os_error = 0,
              std::string_view node = {}) const noexcept;
  // Of the hostmesh that has loaded this plugin: "1.2.0".
  std::string version() const { return {table_->version.data, table_->version.size}; }

  // Runs `command` as launch `id`. The host reports all of it, and the plugin nothing more for this id.
  // Throws Error when the request makes no sense; a command that cannot be executed is reported as failed.
  void spawn_local(LaunchId id, const Command& command) const;
  void signal_local(LaunchId id, int signal_number) const noexcept {
    table_->signal_local(host_, id, signal_number);
  }
  void close_stdin_local(LaunchId id) const noexcept { table_->close_stdin_local(host_, id); }
  void pause_output_local(LaunchId id) const noexcept { table_->pause_output_local(host_, id); }
  void resume_output_local(LaunchId id) const noexcept { table_->resume_output_local(host_, id); }

  // Makes launch `id` a proc inside this process; for plugins with Capability::kLocalProcs. The host reports
  // all of it, and the plugin nothing more for this id. signal_local() and close_stdin_local() end it, as
  // abi.h says. Throws Error when that cannot be, also when this host is older than that.
  void run_local_proc(LaunchId id) const;

  // In the constructor of the Launcher only: children of the bootstrap protocol reach their owner over tcp,
  // at what HOSTMESH_BOOTSTRAP_ADDR says in their environment. Nothing happens when this host is older.
  void use_tcp() const noexcept;

 private:
  void log(std::uint32_t level, std::string_view line) const noexcept;

  const hostmesh_host_table* table_;
  hostmesh_host* host_;
};

// ---- what a plugin does ----

class Launcher {
 public:
  Launcher() = default;
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  // Kills what still runs and ends its threads, without blocking. What spawn_local() or run_local_proc()
  // started is killed by the host.
  virtual ~Launcher() = default;

  // A throw means that the launch has failed, and that nothing more is reported for it.
  virtual void launch(const LaunchRequest& request) = 0;
  // To the child and its process group. Nothing happens when it has ended. It may come before launched(), as
  // soon as launch() has been called: TERM and KILL then cancel the launch. End what is under way and report
  // failed() with Cause::kCancelled; or, where a process may exist already, report launched() as usual and
  // deliver the signal to it. A launch that does neither is given up after KILL_TIMEOUT.
  virtual void signal(LaunchId id, int signal_number) = 0;
  // Ends the lifeline. It may come before launched() as well.
  virtual void close_stdin(LaunchId) {}
  // Between the two, output() for this launch should pause. What comes all the same is kept in memory.
  virtual void pause_output(LaunchId) {}
  virtual void resume_output(LaunchId) {}
  // For commands with a marker: it has come, or the command has ended.
  virtual void local_started(LaunchId) {}
  virtual LocalVerdict local_ended(LaunchId, const LocalEnd&) { return {}; }
};

// A Launcher whose launches are commands run here; only the command has to be said.
class CommandLauncher : public Launcher {
 public:
  explicit CommandLauncher(const Host& host) : host_(host) {}

  // The command that makes this launch.
  virtual Command command(const LaunchRequest& request) = 0;

  void launch(const LaunchRequest& request) override { host_.spawn_local(request.id, command(request)); }
  void signal(LaunchId id, int signal_number) override { host_.signal_local(id, signal_number); }
  void close_stdin(LaunchId id) override { host_.close_stdin_local(id); }

 protected:
  const Host& host() const { return host_; }

 private:
  Host host_;
};

// A Launcher whose launches are procs inside this process; nothing has to be said at all.
class LocalProcLauncher : public Launcher {
 public:
  explicit LocalProcLauncher(const Host& host) : host_(host) {}

  void launch(const LaunchRequest& request) override { host_.run_local_proc(request.id); }
  void signal(LaunchId id, int signal_number) override { host_.signal_local(id, signal_number); }
  void close_stdin(LaunchId id) override { host_.close_stdin_local(id); }

 protected:
  const Host& host() const { return host_; }

 private:
  Host host_;
};

// ---- how it is done; nothing below is for authors ----

#pragma GCC visibility push(hidden)
namespace detail {

inline hostmesh_text view(std::string_view text) {
  return {text.data(), text.size()};
}
inline hostmesh_bytes view(std::span<const std::uint8_t> bytes) {
  return {bytes.data(), bytes.size()};
}

inline std::string copy(hostmesh_text text) {
  return text.size == 0 ? std::string() : std::string(text.data, text.size);
}
inline std::vector<std::uint8_t> copy(hostmesh_bytes bytes) {
  if (bytes.size == 0) return {};
  return {bytes.data, bytes.data + bytes.size};
}
inline std::vector<std::string> copy(hostmesh_text_list list) {
  std::vector<std::string> items;
  items.reserve(list.count);
  for (std::uint64_t i = 0; i < list.count; ++i) items.push_back(copy(list.items[i]));
  return items;
}

// The views of a list of strings that outlives this.
struct ListView {
  explicit ListView(const std::vector<std::string>& list) {
    texts.reserve(list.size());
    for (const std::string& text : list) texts.push_back(view(text));
  }
  hostmesh_text_list get() const { return {texts.data(), texts.size()}; }
  std::vector<hostmesh_text> texts;
};

// Fills in only what fits in the struct that the other side has.
inline void set_error(hostmesh_error* error, std::uint32_t cause, int os_error, std::string_view text,
                      std::string_view node = {}) noexcept {
  constexpr std::size_t kTextOffset = offsetof(hostmesh_error, text);
  if (error == nullptr || error->size <= kTextOffset) return;
  const std::size_t room =
      error->size - kTextOffset < sizeof(error->text) ? error->size - kTextOffset : sizeof(error->text);
  const std::size_t size = text.size() < room ? text.size() : room;
  error->cause = cause;
  error->os_error = os_error;
  error->text_size = static_cast<std::uint32_t>(size);
  if (size != 0) std::memcpy(error->text, text.data(), size);
  if (error->size < offsetof(hostmesh_error, node) + sizeof(error->node)) return;
  const std::size_t node_size = node.size() < sizeof(error->node) ? node.size() : sizeof(error->node);
  error->node_size = static_cast<std::uint32_t>(node_size);
  if (node_size != 0) std::memcpy(error->node, node.data(), node_size);
}

// The exception being handled, as an error; returns its cause.
inline std::uint32_t current_exception_to(hostmesh_error* error) noexcept {
  std::uint32_t cause = HOSTMESH_CAUSE_PLUGIN;
  try {
    throw;
  } catch (const Error& failure) {
    cause = static_cast<std::uint32_t>(failure.cause());
    set_error(error, cause, failure.os_error(), failure.what());
  } catch (const std::system_error& failure) {
    const auto& category = failure.code().category();
    const bool is_errno = category == std::system_category() || category == std::generic_category();
    const int number = is_errno ? failure.code().value() : 0;
    // EAGAIN: of a thread that could not be made.
    if (number == EAGAIN || number == EMFILE || number == ENFILE || number == ENOMEM || number == ENOBUFS)
      cause = HOSTMESH_CAUSE_RESOURCE_LIMIT;
    set_error(error, cause, number, failure.what());
  } catch (const std::bad_alloc&) {
    cause = HOSTMESH_CAUSE_RESOURCE_LIMIT;
    set_error(error, cause, ENOMEM, "there was no memory for it");
  } catch (const std::exception& failure) {
    set_error(error, cause, 0, failure.what());
  } catch (...) {
    set_error(error, cause, 0, "an exception that is no std::exception");
  }
  return cause;
}

struct Instance {
  Host host;
  std::unique_ptr<Launcher> launcher;
};

inline Instance& self(hostmesh_instance* instance) {
  return *reinterpret_cast<Instance*>(instance);
}

template <class Call>
void guarded(hostmesh_instance* instance, std::string_view what, Call call) noexcept {
  try {
    call(*self(instance).launcher);
  } catch (...) {
    hostmesh_error error{};
    error.size = sizeof(error);
    current_exception_to(&error);
    try {
      self(instance).host.error(std::string(what) + " failed: " + std::string(error.text, error.text_size));
    } catch (...) {
      self(instance).host.error(what);
    }
  }
}

// Everything that describe() refers to, for the life of the process.
struct DescriptionStorage {
  Description description;
  std::vector<hostmesh_option> options;
  hostmesh_description table{};
};

// One for each plugin class; hidden, so that two plugins whose classes have the same name stay apart.
template <class T>
struct Plugin {
  static inline const char* name = "";
  static inline const char* version = "";
  static inline const hostmesh_host_table* host_table = nullptr;

  static const hostmesh_description* describe(hostmesh_error* error) noexcept {
    try {
      static const DescriptionStorage* const storage = make_description();
      return &storage->table;
    } catch (...) {
      current_exception_to(error);
      return nullptr;
    }
  }

  static hostmesh_instance* create(hostmesh_host* host, const hostmesh_config* config,
                                   hostmesh_error* error) noexcept {
    try {
      auto instance = std::make_unique<Instance>(Instance{Host(host_table, host), nullptr});
      instance->launcher = std::make_unique<T>(Config(*config), instance->host);
      return reinterpret_cast<hostmesh_instance*>(instance.release());
    } catch (...) {
      current_exception_to(error);
      return nullptr;
    }
  }

  static std::uint32_t launch(hostmesh_instance* instance, const hostmesh_launch* launch,
                              hostmesh_error* error) noexcept {
    try {
      LaunchRequest request;
      request.id = launch->id;
      request.rank = launch->rank;
      request.incarnation = launch->incarnation;
      request.argv = copy(launch->argv);
      request.environment = copy(launch->environment);
      request.working_directory = copy(launch->working_directory);
      request.stdin_payload = copy(launch->stdin_payload);
      request.stdin_use = static_cast<StdinUse>(launch->stdin_use);
      if (launch->size >= offsetof(hostmesh_launch, protocol) + sizeof(launch->protocol)) {
        request.protocol = static_cast<Protocol>(launch->protocol);
      }
      self(instance).launcher->launch(request);
      return HOSTMESH_CAUSE_NONE;
    } catch (...) {
      return current_exception_to(error);
    }
  }

  static void signal(hostmesh_instance* instance, std::uint64_t id, std::int32_t signal_number) noexcept {
    guarded(instance, "signal", [&](Launcher& launcher) { launcher.signal(id, signal_number); });
  }
  static void close_stdin(hostmesh_instance* instance, std::uint64_t id) noexcept {
    guarded(instance, "close_stdin", [&](Launcher& launcher) { launcher.close_stdin(id); });
  }
  static void pause_output(hostmesh_instance* instance, std::uint64_t id) noexcept {
    guarded(instance, "pause_output", [&](Launcher& launcher) { launcher.pause_output(id); });
  }
  static void resume_output(hostmesh_instance* instance, std::uint64_t id) noexcept {
    guarded(instance, "resume_output", [&](Launcher& launcher) { launcher.resume_output(id); });
  }
  static void local_started(hostmesh_instance* instance, std::uint64_t id) noexcept {
    guarded(instance, "local_started", [&](Launcher& launcher) { launcher.local_started(id); });
  }
  static std::uint32_t local_ended(hostmesh_instance* instance, std::uint64_t id,
                                   const hostmesh_local_end* end, hostmesh_error* error) noexcept {
    LocalVerdict verdict;
    guarded(instance, "local_ended", [&](Launcher& launcher) {
      verdict = launcher.local_ended(id, {.has_started = end->has_started != 0,
                                          .how = static_cast<LocalEnd::How>(end->exit.kind),
                                          .number = end->exit.value,
                                          .last_lines = copy(end->last_lines)});
      if (verdict.what != LocalVerdict::What::kFail) return;
      set_error(error, static_cast<std::uint32_t>(verdict.cause), 0, verdict.text, verdict.node);
    });
    return static_cast<std::uint32_t>(verdict.what);
  }
  static void destroy(hostmesh_instance* instance) noexcept { delete &self(instance); }

  static const hostmesh_plugin_table* entry(const char* plugin_name, const char* plugin_version,
                                            const hostmesh_host_table* host, std::uint32_t min_abi,
                                            std::uint32_t max_abi, hostmesh_error* error) noexcept {
    if (min_abi > HOSTMESH_ABI_VERSION || max_abi < kMinAbi) {
      try {
        set_error(error, HOSTMESH_CAUSE_PLUGIN, 0,
                  "this plugin speaks ABI versions " + std::to_string(kMinAbi) + " to " +
                      std::to_string(HOSTMESH_ABI_VERSION) + ", the host versions " +
                      std::to_string(min_abi) + " to " + std::to_string(max_abi));
      } catch (...) {
        set_error(error, HOSTMESH_CAUSE_PLUGIN, 0, "no common ABI version");
      }
      return nullptr;
    }
    name = plugin_name;
    version = plugin_version;
    host_table = host;
    // The highest that both speak.
    static const hostmesh_plugin_table table = {
        sizeof(hostmesh_plugin_table),
        max_abi < HOSTMESH_ABI_VERSION ? max_abi : HOSTMESH_ABI_VERSION,
        describe,
        create,
        launch,
        signal,
        close_stdin,
        pause_output,
        resume_output,
        destroy,
        local_started,
        local_ended};
    return &table;
  }

 private:
  static constexpr std::uint32_t kMinAbi = 1;

  static const DescriptionStorage* make_description() {
    auto storage = std::make_unique<DescriptionStorage>();
    if constexpr (requires { T::describe(); }) storage->description = T::describe();
    for (const Option& option : storage->description.options) {
      hostmesh_option row{};
      row.key = view(option.key);
      row.type = static_cast<std::uint32_t>(option.type);
      row.required = option.required ? 1 : 0;
      row.has_default = option.default_value ? 1 : 0;
      if (option.default_value) row.default_value = view(*option.default_value);
      row.doc = view(option.doc);
      storage->options.push_back(row);
    }
    hostmesh_description& table = storage->table;
    table.size = sizeof(table);
    table.option_stride = sizeof(hostmesh_option);
    table.name = view(std::string_view(name));
    table.version = view(std::string_view(version));
    table.summary = view(storage->description.summary);
    for (const Capability capability : storage->description.capabilities) {
      table.capabilities |= static_cast<std::uint64_t>(capability);
    }
    table.options = storage->options.data();
    table.option_count = storage->options.size();
    return storage.release();
  }
};

}  // namespace detail
#pragma GCC visibility pop

inline Config::Config(const hostmesh_config& config) {
  const auto* row = reinterpret_cast<const unsigned char*>(config.entries);
  for (std::uint64_t i = 0; i < config.entry_count; ++i, row += config.entry_stride) {
    const auto& entry = *reinterpret_cast<const hostmesh_config_entry*>(row);
    entries_.push_back({detail::copy(entry.key), static_cast<OptionType>(entry.type),
                        detail::copy(entry.text), entry.number, detail::copy(entry.items)});
  }
}

inline void Host::log(std::uint32_t level, std::string_view line) const noexcept {
  table_->log(host_, level, detail::view(line));
}

inline void Host::launched(LaunchId id, std::int64_t pid, std::string_view node) const noexcept {
  table_->launched(host_, id, pid, detail::view(node));
}

inline void Host::output(LaunchId id, Stream stream, std::span<const std::uint8_t> bytes) const noexcept {
  table_->output(host_, id, static_cast<std::uint32_t>(stream), detail::view(bytes));
}

inline void Host::exited(LaunchId id, int code) const noexcept {
  const hostmesh_exit exit{sizeof(exit), HOSTMESH_EXIT_CODE, code, 0};
  table_->exited(host_, id, &exit);
}

inline void Host::killed(LaunchId id, int signal_number, bool core_dumped) const noexcept {
  const hostmesh_exit exit{sizeof(exit), HOSTMESH_EXIT_SIGNAL, signal_number, core_dumped ? 1U : 0U};
  table_->exited(host_, id, &exit);
}

inline void Host::failed(LaunchId id, Cause cause, std::string_view text, int os_error,
                         std::string_view node) const noexcept {
  hostmesh_error error{};
  error.size = sizeof(error);
  detail::set_error(&error, static_cast<std::uint32_t>(cause), os_error, text, node);
  table_->failed(host_, id, &error);
}

inline void Host::spawn_local(LaunchId id, const Command& command) const {
  const detail::ListView argv(command.argv);
  const detail::ListView environment(command.environment);
  hostmesh_command request{};
  request.size = sizeof(request);
  request.stdin_use = static_cast<std::uint32_t>(command.stdin_use);
  request.argv = argv.get();
  request.environment = environment.get();
  request.working_directory = detail::view(command.working_directory);
  request.stdin_payload = detail::view(std::span<const std::uint8_t>(command.stdin_payload));
  request.node = detail::view(command.node);
  request.start = static_cast<std::uint32_t>(command.start);
  request.marker = detail::view(std::string_view(command.marker));
  request.stdout_use = static_cast<std::uint32_t>(command.stdout_use);
  if (!command.marker.empty() && table_->abi_version < 2) {
    throw Error(Cause::kPlugin, "this hostmesh, " + detail::copy(table_->version) +
                                    ", knows nothing of markers: it speaks ABI version " +
                                    std::to_string(table_->abi_version));
  }
  hostmesh_error error{};
  error.size = sizeof(error);
  const std::uint32_t cause = table_->spawn_local(host_, id, &request, &error);
  if (cause != HOSTMESH_CAUSE_NONE) {
    throw Error(static_cast<Cause>(cause), std::string(error.text, error.text_size), error.os_error);
  }
}

inline void Host::run_local_proc(LaunchId id) const {
  constexpr std::size_t kNeeded =
      offsetof(hostmesh_host_table, run_local_proc) + sizeof(hostmesh_host_table::run_local_proc);
  if (table_->size < kNeeded) {
    throw Error(Cause::kPlugin, "this hostmesh, " + detail::copy(table_->version) +
                                    ", cannot run procs inside its own process: it speaks ABI version " +
                                    std::to_string(table_->abi_version));
  }
  hostmesh_error error{};
  error.size = sizeof(error);
  const std::uint32_t cause = table_->run_local_proc(host_, id, &error);
  if (cause != HOSTMESH_CAUSE_NONE) {
    throw Error(static_cast<Cause>(cause), std::string(error.text, error.text_size), error.os_error);
  }
}

inline void Host::use_tcp() const noexcept {
  constexpr std::size_t kNeeded =
      offsetof(hostmesh_host_table, use_tcp) + sizeof(hostmesh_host_table::use_tcp);
  if (table_->size >= kNeeded) table_->use_tcp(host_);
}

}  // namespace hostmesh::plugin

// Once in each plugin, outside every namespace. `plugin_name` is what plugins.yaml calls it and the file's
// name is made from: libNAME.so.
#define HOSTMESH_PLUGIN(launcher, plugin_name, plugin_version)                                               \
  extern "C" __attribute__((visibility("default"))) const hostmesh_plugin_table* hostmesh_plugin_entry(      \
      const hostmesh_host_table* host, uint32_t min_abi, uint32_t max_abi, hostmesh_error* error) noexcept { \
    return hostmesh::plugin::detail::Plugin<launcher>::entry(plugin_name, plugin_version, host, min_abi,     \
                                                             max_abi, error);                                \
  }
