#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string_view>
#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/base/text.hpp"
#include "hostmesh/plugin/detail/host_context.hpp"

namespace hostmesh::detail {

// The causes of the C interface are those of the library, so that they pass through unchanged.
static_assert(HOSTMESH_CAUSE_INVALID_ARGUMENT == static_cast<int>(Cause::kInvalidArgument));
static_assert(HOSTMESH_CAUSE_CONFIGURATION == static_cast<int>(Cause::kConfiguration));
static_assert(HOSTMESH_CAUSE_SPAWN_FAILED == static_cast<int>(Cause::kSpawnFailed));
static_assert(HOSTMESH_CAUSE_TIMEOUT == static_cast<int>(Cause::kTimeout));
static_assert(HOSTMESH_CAUSE_AUTHENTICATION == static_cast<int>(Cause::kAuthentication));
static_assert(HOSTMESH_CAUSE_PEER_GONE == static_cast<int>(Cause::kPeerGone));
static_assert(HOSTMESH_CAUSE_REMOTE == static_cast<int>(Cause::kRemote));
static_assert(HOSTMESH_CAUSE_CANCELLED == static_cast<int>(Cause::kCancelled));
static_assert(HOSTMESH_CAUSE_RESOURCE_LIMIT == static_cast<int>(Cause::kResourceLimit));
static_assert(HOSTMESH_CAUSE_IO == static_cast<int>(Cause::kIo));
static_assert(HOSTMESH_CAUSE_PLUGIN == static_cast<int>(Cause::kPlugin));

namespace {

// A report as its observer is told of it.
struct Described {
  PluginObserver::Report operator()(const LaunchedReport& report) const {
    return {.call = "launched", .id = report.id, .number = report.pid};
  }
  PluginObserver::Report operator()(const OutputReport& report) const {
    return {.call = "output", .id = report.id, .number = static_cast<std::int64_t>(report.bytes.size())};
  }
  PluginObserver::Report operator()(const ExitedReport& report) const {
    return {.call = "exited", .id = report.id, .number = report.status.number};
  }
  PluginObserver::Report operator()(const FailedReport& report) const {
    return {.call = "failed", .id = report.id};
  }
  PluginObserver::Report operator()(const SpawnLocal& call) const {
    return {.call = "spawn_local", .id = call.id};
  }
  PluginObserver::Report operator()(const RunLocalProc& call) const {
    return {.call = "run_local_proc", .id = call.id};
  }
  PluginObserver::Report operator()(const SignalLocal& call) const {
    return {.call = "signal_local", .id = call.id, .number = call.signal_number};
  }
  PluginObserver::Report operator()(const CloseStdinLocal& call) const {
    return {.call = "close_stdin_local", .id = call.id};
  }
  PluginObserver::Report operator()(const PauseLocal& call) const {
    return {.call = call.pause ? "pause_output_local" : "resume_output_local", .id = call.id};
  }
};

}  // namespace

void HostContext::observe(const HostCall& call) const {
  const auto* failed = std::get_if<FailedReport>(&call);
  if (!observer_ || (failed != nullptr && failed->from_host)) return;
  PluginObserver::Report report = std::visit(Described{}, call);
  if (phase_ == Phase::kClosing) report.moment = PluginObserver::Moment::kInDestroy;
  if (phase_ == Phase::kClosed) report.moment = PluginObserver::Moment::kAfterDestroy;
  observer_->on_report(report);
}

void HostContext::push(HostCall call) {
  const std::lock_guard lock(mutex_);
  observe(call);
  if (phase_ != Phase::kOpen) {
    if (phase_ == Phase::kClosed) {
      log::warning("a plugin reported after it was destroyed " + log::field("plugin", plugin_name_));
    }
    return;
  }
  const bool first = calls_.empty();
  calls_.push_back(std::move(call));
  // Under the lock: while this is open, the launcher lives, and with it the reactor.
  if (first) reactor_->post(deliver_);
}

std::vector<HostCall> HostContext::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(calls_, {});
}

void HostContext::closing() {
  const std::lock_guard lock(mutex_);
  phase_ = Phase::kClosing;
  reactor_ = nullptr;
  deliver_ = nullptr;
  calls_.clear();
}

void HostContext::closed() {
  const std::lock_guard lock(mutex_);
  phase_ = Phase::kClosed;
}

std::string to_text(hostmesh_text text) {
  return text.data == nullptr || text.size == 0 ? std::string() : std::string(text.data, text.size);
}

hostmesh_text to_view(std::string_view text) {
  return {text.data(), text.size()};
}

hostmesh_error empty_error() {
  hostmesh_error error;
  std::memset(&error, 0, sizeof(error));
  error.size = sizeof(error);
  return error;
}

Error to_error(const std::string& plugin_name, const hostmesh_error& error) {
  const std::size_t size = std::min<std::size_t>(error.text_size, sizeof(error.text));
  // One line, whatever it has: nothing of it is to look like a line of ours.
  std::string text = printable({error.text, size});
  if (text.empty()) text = "it gave no reason";
  const auto cause = static_cast<Cause>(error.cause);
  const bool known = error.cause != 0 && error.cause <= static_cast<std::uint32_t>(Cause::kInternal);
  std::string node;
  if (error.size >= offsetof(hostmesh_error, node) + sizeof(error.node))
    node = printable({error.node, std::min<std::size_t>(error.node_size, sizeof(error.node))});
  // What is wrong with a machine is not the plugin's.
  return Error(
      ErrorInfo{.cause = known ? cause : Cause::kPlugin,
                .message = node.empty() ? "plugin '" + plugin_name + "': " + text : text,
                .host = node,
                .os_error = error.os_error,
                .hint = cause == Cause::kResourceLimit ? limit_hint(error.os_error) : std::string()});
}

namespace {

std::vector<std::string> to_list(hostmesh_text_list list) {
  std::vector<std::string> items;
  items.reserve(list.count);
  for (std::uint64_t i = 0; i < list.count; ++i) items.push_back(to_text(list.items[i]));
  return items;
}

Bytes to_bytes(hostmesh_bytes bytes) {
  if (bytes.data == nullptr || bytes.size == 0) return {};
  return Bytes(bytes.data, bytes.data + bytes.size);
}

void set_error(hostmesh_error* error, std::uint32_t cause, std::string_view text) {
  if (error == nullptr || error->size < sizeof(hostmesh_error)) return;
  const std::size_t size = std::min(text.size(), sizeof(error->text));
  error->cause = cause;
  error->text_size = static_cast<std::uint32_t>(size);
  std::memcpy(error->text, text.data(), size);
}

// A contract breach that leaves nothing to report.
void breach(hostmesh_host* host, std::string_view what, std::uint64_t id) {
  if (PluginObserver* observer = HostContext::from(host).observer()) {
    observer->on_dropped(what, id, "it makes no sense");
  }
  log::warning("a plugin's report makes no sense and was dropped " +
               log::field("plugin", HostContext::from(host).plugin_name()) + " " +
               log::field("report", what) + " " + log::field("launch", std::to_string(id)));
}

constexpr std::size_t kMostLogged = 4096;  // bytes of a line of a plugin's
constexpr std::size_t kMostNode = 255;     // bytes of the name of a machine

std::string_view view_of(hostmesh_text text) {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

// As it may be shown: in errors, events and lists.
std::string node_of(hostmesh_text node) {
  return printable(view_of(node), kMostNode);
}

void log_line(hostmesh_host* host, std::uint32_t level, hostmesh_text text) noexcept {
  // Cut so that the end, which says whose it is, is always there.
  const std::string line = printable(view_of(text), kMostLogged) + " " +
                           log::field("plugin", HostContext::from(host).plugin_name());
  switch (level) {
    case HOSTMESH_LOG_DEBUG:
      log::debug(line);
      break;
    case HOSTMESH_LOG_INFO:
      log::info(line);
      break;
    case HOSTMESH_LOG_WARNING:
      log::warning(line);
      break;
    default:
      log::error(line);
      break;
  }
}

void launched(hostmesh_host* host, std::uint64_t id, std::int64_t pid, hostmesh_text node) noexcept {
  HostContext::from(host).push(LaunchedReport{id, pid, node_of(node)});
}

void output(hostmesh_host* host, std::uint64_t id, std::uint32_t stream, hostmesh_bytes bytes) noexcept {
  if (stream != HOSTMESH_STREAM_STDOUT && stream != HOSTMESH_STREAM_STDERR) return breach(host, "output", id);
  if (bytes.size == 0) return;
  HostContext::from(host).push(OutputReport{id, static_cast<OutputStream>(stream), to_bytes(bytes)});
}

void exited(hostmesh_host* host, std::uint64_t id, const hostmesh_exit* exit) noexcept {
  if (exit == nullptr || exit->size < sizeof(hostmesh_exit)) return breach(host, "exited", id);
  ExitStatus status =
      ExitStatus::unknown("the plugin reported an exit of kind " + std::to_string(exit->kind));
  if (exit->kind == HOSTMESH_EXIT_CODE) status = ExitStatus::exited(exit->value);
  if (exit->kind == HOSTMESH_EXIT_SIGNAL) status = ExitStatus::signalled(exit->value, exit->core_dumped != 0);
  HostContext::from(host).push(ExitedReport{id, std::move(status)});
}

void failed(hostmesh_host* host, std::uint64_t id, const hostmesh_error* error) noexcept {
  if (error == nullptr || error->size < sizeof(hostmesh_error)) return breach(host, "failed", id);
  HostContext::from(host).push(FailedReport{id, to_error(HostContext::from(host).plugin_name(), *error)});
}

std::uint32_t spawn_local(hostmesh_host* host, std::uint64_t id, const hostmesh_command* command,
                          hostmesh_error* error) noexcept {
  const auto invalid = [error](std::string_view text) -> std::uint32_t {
    set_error(error, HOSTMESH_CAUSE_INVALID_ARGUMENT, text);
    return HOSTMESH_CAUSE_INVALID_ARGUMENT;
  };
  // What version 1 has of it, and all of it.
  constexpr std::size_t kFirst = offsetof(hostmesh_command, reserved) + sizeof(hostmesh_command::reserved);
  if (command == nullptr || command->size < kFirst) return invalid("the command is no command");
  const bool has_marker = command->size >= sizeof(hostmesh_command);
  if (has_marker && command->stdout_use > HOSTMESH_STDOUT_CHANNEL)
    return invalid("the use of stdout is unknown");
  if (command->argv.count == 0) return invalid("the command is empty");
  if (command->stdin_use > HOSTMESH_STDIN_PAYLOAD_THEN_EOF) return invalid("the use of stdin is unknown");
  if (command->start > HOSTMESH_START_FORK_SERVER) return invalid("the way to start is unknown");
  LaunchRequest request;
  request.start =
      command->start == HOSTMESH_START_EXEC ? LaunchRequest::Start::kExec : LaunchRequest::Start::kForkServer;
  request.argv = to_list(command->argv);
  request.environment = to_list(command->environment);
  request.working_directory = to_text(command->working_directory);
  request.stdin_payload = to_bytes(command->stdin_payload);
  request.stdin_use = command->stdin_use == HOSTMESH_STDIN_LIFELINE ? LaunchRequest::Stdin::kLifeline
                                                                    : LaunchRequest::Stdin::kPayloadThenEof;
  if (has_marker) {
    request.marker = to_text(command->marker);
    request.stdout_use = command->stdout_use == HOSTMESH_STDOUT_CHANNEL ? LaunchRequest::Stdout::kChannel
                                                                        : LaunchRequest::Stdout::kOutput;
  }
  HostContext::from(host).push(SpawnLocal{id, std::move(request), node_of(command->node)});
  return HOSTMESH_CAUSE_NONE;
}

std::uint32_t run_local_proc(hostmesh_host* host, std::uint64_t id, hostmesh_error* error) noexcept {
  if (HostContext::from(host).local_procs() == HostContext::LocalProcs::kNot) {
    set_error(error, HOSTMESH_CAUSE_INVALID_ARGUMENT,
              "procs inside this process are for plugins with the capability LOCAL_PROCS");
    return HOSTMESH_CAUSE_INVALID_ARGUMENT;
  }
  HostContext::from(host).push(RunLocalProc{id});
  return HOSTMESH_CAUSE_NONE;
}

void signal_local(hostmesh_host* host, std::uint64_t id, std::int32_t signal_number) noexcept {
  HostContext::from(host).push(SignalLocal{id, signal_number});
}

void close_stdin_local(hostmesh_host* host, std::uint64_t id) noexcept {
  HostContext::from(host).push(CloseStdinLocal{id});
}

void pause_output_local(hostmesh_host* host, std::uint64_t id) noexcept {
  HostContext::from(host).push(PauseLocal{id, true});
}

void resume_output_local(hostmesh_host* host, std::uint64_t id) noexcept {
  HostContext::from(host).push(PauseLocal{id, false});
}

void use_tcp(hostmesh_host* host) noexcept {
  HostContext::from(host).use_tcp();
}

}  // namespace

const hostmesh_host_table& host_table() {
  static const hostmesh_host_table table = {
      .size = sizeof(hostmesh_host_table),
      .abi_version = HOSTMESH_ABI_VERSION,
      .version = to_view(HOSTMESH_VERSION),
      .log = log_line,
      .launched = launched,
      .output = output,
      .exited = exited,
      .failed = failed,
      .spawn_local = spawn_local,
      .signal_local = signal_local,
      .close_stdin_local = close_stdin_local,
      .pause_output_local = pause_output_local,
      .resume_output_local = resume_output_local,
      .run_local_proc = run_local_proc,
      .use_tcp = use_tcp,
  };
  return table;
}

}  // namespace hostmesh::detail
