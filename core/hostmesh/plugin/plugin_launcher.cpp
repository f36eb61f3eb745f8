#include "hostmesh/plugin/plugin_launcher.hpp"

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hostmesh/base/foreign_code.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/plugin/detail/host_context.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/lines.hpp"

namespace hostmesh {

using detail::CloseStdinLocal;
using detail::ExitedReport;
using detail::FailedReport;
using detail::HostCall;
using detail::HostContext;
using detail::LaunchedReport;
using detail::OutputReport;
using detail::PauseLocal;
using detail::RunLocalProc;
using detail::SignalLocal;
using detail::SpawnLocal;

namespace {

struct TextListView {
  explicit TextListView(const std::vector<std::string>& list) {
    texts.reserve(list.size());
    for (const std::string& text : list) texts.push_back(detail::to_view(text));
  }
  hostmesh_text_list get() const { return {texts.data(), texts.size()}; }
  std::vector<hostmesh_text> texts;
};

// Whether a plugin's table, which may be older than ours, has that function.
template <class Slot>
bool has_slot(const hostmesh_plugin_table& table, Slot hostmesh_plugin_table::*slot) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(&table);
  const auto* const at = reinterpret_cast<const unsigned char*>(&(table.*slot));
  return static_cast<std::size_t>(at - begin) + sizeof(Slot) <= table.size && table.*slot != nullptr;
}

}  // namespace

// Of a command with a marker.
constexpr std::size_t kLastLines = 20;
constexpr std::size_t kLeastEcho = 8;              // bytes; less may be in any line
constexpr std::size_t kMostEarlyStderr = 1 << 20;  // bytes; what exceeds them is only in the last lines

// In hexadecimal digits; a request may be written so.
static bool has_long_number(std::string_view line) {
  constexpr std::size_t kLong = 100;
  std::size_t digits = 0;
  for (const char c : line) {
    digits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? digits + 1 : 0;
    if (digits == kLong) return true;
  }
  return false;
}

struct PluginLauncher::State : std::enable_shared_from_this<PluginLauncher::State> {
  enum class Phase : std::uint8_t { kLaunching, kLaunched };
  struct Launch {
    Phase phase = Phase::kLaunching;
    std::uint64_t rank = 0;
    ChildLauncher* runner = nullptr;  // set: the host runs it
    std::string node;                 // what to call the node instead of this machine, for a command
    bool paused = false;              // by the consumer
    bool plugin_is_told = false;      // of that; it may have had the host run the launch since
    bool paused_by_plugin = false;    // what the host runs only
    bool ended = false;               // the end is among `held`
    bool unsettled = false;           // the registry waits to be told whose child it is
    pid_t child = 0;                  // the plugin's own, on this machine
    std::deque<HostCall> held;        // what came while paused
    // What a proc inside this process is started with; kept until it is clear that it will not be one.
    std::optional<LaunchRequest> request;
    // Of a command with a marker.
    bool has_marker = false;
    Bytes early_stderr;  // before it is launched; what comes later is output
    LineTail last_lines{kLastLines};
    std::string first_line_sent;

    // A terminal, or a program like cat, sends back what it is sent, secrets included; a terminal shows a
    // zero byte as "^@".
    bool is_sent(const std::string& line) const {
      const bool is_first = first_line_sent.size() >= kLeastEcho && line.find(first_line_sent) != line.npos;
      return is_first || line.find("^@") != line.npos || line.find('\0') != line.npos ||
             has_long_number(line);
    }
    std::vector<std::string> words() const {
      std::vector<std::string> lines = last_lines.lines();
      const auto echo =
          std::find_if(lines.begin(), lines.end(), [this](const std::string& line) { return is_sent(line); });
      if (echo == lines.end()) return lines;
      lines.erase(echo, lines.end());
      lines.emplace_back("(what was sent to it came back)");
      return lines;
    }
  };

  State(std::shared_ptr<Plugin> of, const hostmesh_plugin_table& calls, Reactor& on, Events to)
      : plugin(std::move(of)), table(calls), reactor(on), events(std::move(to)) {}

  const std::string& name() const { return plugin->description().name; }
  // Runs a call into the plugin; what it throws is logged, for a plugin must not let anything out.
  template <class Call>
  bool guarded(const char* what, LaunchId id, Call call);
  PluginObserver* observer() const { return context ? context->observer() : nullptr; }
  Launch* find(LaunchId id) {
    const auto found = launches.find(id);
    return found == launches.end() || found->second.ended ? nullptr : &found->second;
  }
  void drop(const char* report, LaunchId id, const char* why) const;

  void deliver();
  // A child of the plugin's own is no orphan, neither while it is launched nor while it runs.
  void launch_begins(Launch& launch) const;
  void launch_is_over(Launch& launch, pid_t child) const;
  void forget_child(Launch& launch) const;

  void on(LaunchedReport& report);
  void on(OutputReport& report);
  void on(ExitedReport& report);
  void on(FailedReport& report);
  void on(SpawnLocal& call);
  void on(RunLocalProc& call);
  void on(SignalLocal& call) {
    if (Launch* launch = run_here(call.id)) launch->runner->signal(call.id, call.signal_number);
  }
  void on(CloseStdinLocal& call) {
    if (Launch* launch = run_here(call.id)) launch->runner->close_stdin(call.id);
  }
  void on(PauseLocal& call) {
    Launch* launch = run_here(call.id);
    if (launch == nullptr) return;
    launch->paused_by_plugin = call.pause;
    pause_local(call.id, *launch);
  }
  Launch* run_here(LaunchId id) {
    Launch* launch = find(id);
    return launch != nullptr && launch->runner != nullptr ? launch : nullptr;
  }
  static void pause_local(LaunchId id, const Launch& launch) {
    if (launch.paused || launch.paused_by_plugin) {
      launch.runner->pause_output(id);
    } else {
      launch.runner->resume_output(id);
    }
  }
  Launch* to_be_run(const char* call, LaunchId id);
  Launch* reported(const char* report, LaunchId id);

  // To the consumer, or held while it has paused.
  void emit(Launch& launch, HostCall event);
  void emit_end(Launch& launch, HostCall event);
  void release(LaunchId id);
  void tell(HostCall& event);

  Events host_events();
  void local_started(LaunchId id);
  void local_output(LaunchId id, OutputStream stream, ByteView bytes);
  void local_ended(LaunchId id, const ExitStatus& status);
  // What the plugin makes of it; kReport where it has nothing to say.
  enum class Verdict : std::uint8_t { kReport, kFail, kTakeBack };
  Verdict ask_plugin(LaunchId id, const Launch& launch, const ExitStatus& status, hostmesh_error& error);

  std::shared_ptr<Plugin> plugin;
  const hostmesh_plugin_table& table;
  Reactor& reactor;
  Events events;
  std::shared_ptr<HostContext> context;
  hostmesh_instance* instance = nullptr;
  std::shared_ptr<ChildRegistry> registry;
  std::unique_ptr<LocalLauncher> local;
  MakeChildLauncher make_local_procs;
  std::unique_ptr<ChildLauncher> local_procs;  // made by the first launch that is one
  std::map<LaunchId, Launch> launches;
  bool closed = false;
};

template <class Call>
bool PluginLauncher::State::guarded(const char* what, LaunchId id, Call call) {
  if (observer() != nullptr) observer()->on_call(what, id);
  const Reactor::Doing doing(reactor, "the call '" + std::string(what) + "' of plugin '" + name() + "'");
  const auto launch = launches.find(id);
  const ForeignCall under_way(
      "plugin '" + name() + "'",
      "in its call '" + std::string(what) +
          (launch == launches.end() ? "'" : "' (rank " + std::to_string(launch->second.rank) + ")"));
  bool returned = false;
  try {
    call();
    returned = true;
  } catch (const std::exception& failure) {
    if (observer() != nullptr) observer()->on_exception(what, failure.what());
    log::error("a plugin let an exception out " + log::field("plugin", name()) + " " +
               log::field("call", what) + " " + log::field("exception", failure.what()));
  } catch (...) {
    if (observer() != nullptr) observer()->on_exception(what, "something that is no std::exception");
    log::error("a plugin let an exception out " + log::field("plugin", name()) + " " +
               log::field("call", what));
  }
  if (observer() != nullptr) observer()->on_return(what, id);
  return returned;
}

void PluginLauncher::State::drop(const char* report, LaunchId id, const char* why) const {
  if (observer() != nullptr) observer()->on_dropped(report, id, why);
  log::warning("a plugin's report was dropped " + log::field("plugin", name()) + " " +
               log::field("report", report) + " " + log::field("launch", std::to_string(id)) + " " +
               log::field("reason", why));
}

void PluginLauncher::State::deliver() {
  const auto self = shared_from_this();  // an event may destroy the launcher
  if (closed) return;
  for (HostCall& call : context->take()) {
    std::visit([this](auto& each) { on(each); }, call);
    if (closed) return;
  }
}

// The launch that a report of the plugin's is about; null, and logged, when there is none that it may report
// for.
PluginLauncher::State::Launch* PluginLauncher::State::reported(const char* report, LaunchId id) {
  Launch* launch = find(id);
  if (launch == nullptr) {
    drop(report, id, "no such launch, or it has ended");
    return nullptr;
  }
  if (launch->runner != nullptr) {
    drop(report, id, "the host reports for what it runs");
    return nullptr;
  }
  return launch;
}

void PluginLauncher::State::launch_begins(Launch& launch) const {
  if (!registry || !plugin->description().can(Capability::kSameMachine)) return;
  registry->begin_launch();
  launch.unsettled = true;
}

void PluginLauncher::State::launch_is_over(Launch& launch, pid_t child) const {
  if (!std::exchange(launch.unsettled, false)) return;
  if (child > 0) registry->add_foreign(child);
  launch.child = child;
  registry->end_launch(0);
}

void PluginLauncher::State::forget_child(Launch& launch) const {
  launch_is_over(launch, 0);
  if (const pid_t child = std::exchange(launch.child, 0); child > 0) registry->remove_foreign(child);
}

void PluginLauncher::State::on(LaunchedReport& report) {
  Launch* launch = reported("launched", report.id);
  if (launch == nullptr) return;
  if (launch->phase == Phase::kLaunched) return drop("launched", report.id, "it was already launched");
  launch->phase = Phase::kLaunched;
  launch->request.reset();
  launch_is_over(*launch, static_cast<pid_t>(report.pid));
  emit(*launch, std::move(report));
}

void PluginLauncher::State::on(OutputReport& report) {
  Launch* launch = reported("output", report.id);
  if (launch == nullptr) return;
  if (launch->phase == Phase::kLaunching) return drop("output", report.id, "it was not launched yet");
  emit(*launch, std::move(report));
}

void PluginLauncher::State::on(ExitedReport& report) {
  Launch* launch = reported("exited", report.id);
  if (launch == nullptr) return;
  if (launch->phase == Phase::kLaunched) return emit_end(*launch, std::move(report));
  drop("exited", report.id, "it was not launched yet");
  Error error(ErrorInfo{
      .cause = Cause::kPlugin,
      .message = "plugin '" + name() + "' reported the end of a launch that it had not reported as launched",
      .exit_status = report.status.text()});
  emit_end(*launch, FailedReport{report.id, std::move(error)});
}

void PluginLauncher::State::on(FailedReport& report) {
  if (report.from_host) {
    Launch* launch = find(report.id);
    if (launch == nullptr) return;
    if (launch->runner != nullptr) launch->runner->signal(report.id, SIGKILL);
    return emit_end(*launch, std::move(report));
  }
  Launch* launch = reported("failed", report.id);
  if (launch != nullptr) emit_end(*launch, std::move(report));
}

void PluginLauncher::State::on(SpawnLocal& call) {
  Launch* launch = to_be_run("spawn_local", call.id);
  if (launch == nullptr) return;
  launch->request.reset();
  launch->runner = local.get();
  launch->node = std::move(call.node);
  launch->has_marker = !call.command.marker.empty();
  launch->last_lines = LineTail(kLastLines);
  launch->early_stderr.clear();
  const Bytes& sent = call.command.stdin_payload;
  launch->first_line_sent.assign(sent.begin(), std::find(sent.begin(), sent.end(), '\n'));
  local->launch(call.id, std::move(call.command));
  pause_local(call.id, *launch);
  if (!launch->node.empty() && events.on_placed) events.on_placed(call.id, launch->node);
}

void PluginLauncher::State::on(RunLocalProc& call) {
  Launch* launch = to_be_run("run_local_proc", call.id);
  if (launch == nullptr) return;
  if (!local_procs && make_local_procs) local_procs = make_local_procs(host_events());
  if (!local_procs || !launch->request) {
    return emit_end(*launch, FailedReport{call.id, Error(Cause::kInvalidArgument,
                                                         "no procs can be run inside this process here")});
  }
  launch->runner = local_procs.get();
  local_procs->launch(call.id, *std::exchange(launch->request, std::nullopt));
  pause_local(call.id, *launch);
}

PluginLauncher::State::Launch* PluginLauncher::State::to_be_run(const char* call, LaunchId id) {
  Launch* launch = reported(call, id);
  if (launch == nullptr) return nullptr;
  if (launch->phase == Phase::kLaunching) {
    launch_is_over(*launch, 0);
    return launch;
  }
  drop(call, id, "it was already launched");
  return nullptr;
}

void PluginLauncher::State::emit(Launch& launch, HostCall event) {
  // Only output waits for the consumer, and what comes behind it.
  const bool never_started = std::holds_alternative<FailedReport>(event) && launch.phase == Phase::kLaunching;
  const bool first_may_pass =
      launch.held.empty() && (std::holds_alternative<LaunchedReport>(event) || never_started);
  if (!first_may_pass && (launch.paused || !launch.held.empty())) {
    launch.held.push_back(std::move(event));
    return;
  }
  const LaunchId id = std::visit([](const auto& each) { return each.id; }, event);
  if (launch.ended) launches.erase(id);
  tell(event);
}

void PluginLauncher::State::emit_end(Launch& launch, HostCall event) {
  forget_child(launch);
  launch.ended = true;
  emit(launch, std::move(event));
}

void PluginLauncher::State::release(LaunchId id) {
  const auto self = shared_from_this();
  while (!closed) {
    const auto found = launches.find(id);
    if (found == launches.end() || found->second.paused || found->second.held.empty()) return;
    HostCall event = std::move(found->second.held.front());
    found->second.held.pop_front();
    if (found->second.ended && found->second.held.empty()) launches.erase(found);
    tell(event);
  }
}

void PluginLauncher::State::tell(HostCall& event) {
  if (const auto* launched = std::get_if<LaunchedReport>(&event)) {
    if (events.on_launched) events.on_launched(launched->id, launched->pid, launched->node);
  } else if (const auto* output = std::get_if<OutputReport>(&event)) {
    if (events.on_output) events.on_output(output->id, output->stream, output->bytes);
  } else if (const auto* exited = std::get_if<ExitedReport>(&event)) {
    if (events.on_exited) events.on_exited(exited->id, exited->status);
  } else if (const auto* failed = std::get_if<FailedReport>(&event)) {
    if (events.on_failed) events.on_failed(failed->id, failed->error);
  }
}

// What the host runs keeps the rules by itself; its events pass straight on, pausing included.
ChildLauncher::Events PluginLauncher::State::host_events() {
  return {
      .on_launched =
          [this](LaunchId id, std::int64_t pid, const std::string& node) {
            Launch* launch = find(id);
            if (launch == nullptr) return;
            const auto self = shared_from_this();
            if (launch->has_marker) local_started(id);
            launch->phase = Phase::kLaunched;
            const std::string remote = launch->node;
            const Bytes early = std::exchange(launch->early_stderr, {});
            if (events.on_launched)
              events.on_launched(id, remote.empty() ? pid : 0, remote.empty() ? node : remote);
            if (!closed && !early.empty() && events.on_output)
              events.on_output(id, OutputStream::kStderr, early);
          },
      .on_channel =
          [this](LaunchId id, UniqueFd socket) {
            if (find(id) == nullptr || !events.on_channel) return;
            const auto self = shared_from_this();
            events.on_channel(id, std::move(socket));
          },
      .on_output = [this](LaunchId id, OutputStream stream,
                          ByteView bytes) { local_output(id, stream, bytes); },
      .on_exited = [this](LaunchId id, const ExitStatus& status) { local_ended(id, status); },
      .on_failed =
          [this](LaunchId id, const Error& error) {
            if (find(id) == nullptr) return;
            const auto self = shared_from_this();
            launches.erase(id);
            if (events.on_failed) events.on_failed(id, error);
          },
  };
}

void PluginLauncher::State::local_started(LaunchId id) {
  if (!has_slot(table, &hostmesh_plugin_table::local_started)) return;
  guarded("local_started", id, [&] { table.local_started(instance, id); });
}

void PluginLauncher::State::local_output(LaunchId id, OutputStream stream, ByteView bytes) {
  Launch* const launch = find(id);
  if (launch == nullptr) return;
  const bool is_early = launch->has_marker && launch->phase == Phase::kLaunching;
  if (launch->has_marker && (is_early || stream == OutputStream::kStderr)) launch->last_lines.feed(bytes);
  if (is_early) {
    const std::size_t room = kMostEarlyStderr - launch->early_stderr.size();
    const ByteView kept = bytes.first(std::min(room, bytes.size()));
    if (stream == OutputStream::kStderr)
      launch->early_stderr.insert(launch->early_stderr.end(), kept.begin(), kept.end());
    return;
  }
  if (!events.on_output) return;
  const auto self = shared_from_this();
  events.on_output(id, stream, bytes);
}

// Without the plugin's word, the end of a command is the end of its launch; before the marker there was none.
void PluginLauncher::State::local_ended(LaunchId id, const ExitStatus& status) {
  Launch* const launch = find(id);
  if (launch == nullptr) return;
  const auto self = shared_from_this();
  hostmesh_error error = detail::empty_error();
  const Verdict verdict = ask_plugin(id, *launch, status, error);
  const bool has_started = launch->phase == Phase::kLaunched;
  if (verdict == Verdict::kTakeBack && !has_started) {
    launch->runner = nullptr;
    if (observer() != nullptr) observer()->on_taken_back(id);
    return;
  }
  const std::vector<std::string> lines = launch->words();
  launches.erase(id);
  if (verdict == Verdict::kFail) {
    if (events.on_failed) events.on_failed(id, detail::to_error(name(), error));
  } else if (has_started) {
    if (events.on_exited) events.on_exited(id, status);
  } else if (events.on_failed) {
    events.on_failed(id, Error(ErrorInfo{.cause = Cause::kSpawnFailed,
                                         .message = "its command ended before the launch had begun",
                                         .exit_status = status.text(),
                                         .last_lines = lines}));
  }
}

PluginLauncher::State::Verdict PluginLauncher::State::ask_plugin(LaunchId id, const Launch& launch,
                                                                 const ExitStatus& status,
                                                                 hostmesh_error& error) {
  if (launch.runner != local.get() || !has_slot(table, &hostmesh_plugin_table::local_ended))
    return Verdict::kReport;
  std::string text;
  for (const std::string& line : launch.words()) text += (text.empty() ? "" : "\n") + line;
  hostmesh_local_end end{};
  end.size = sizeof(end);
  end.has_started = launch.phase == Phase::kLaunched ? 1 : 0;
  end.exit.size = sizeof(end.exit);
  end.exit.kind = status.kind == ExitStatus::Kind::kSignalled ? HOSTMESH_EXIT_SIGNAL : HOSTMESH_EXIT_CODE;
  end.exit.value = status.kind == ExitStatus::Kind::kUnknown ? 255 : status.number;
  end.exit.core_dumped = status.core_dumped ? 1 : 0;
  end.last_lines = detail::to_view(text);
  std::uint32_t verdict = HOSTMESH_LOCAL_END_REPORT;
  guarded("local_ended", id, [&] { verdict = table.local_ended(instance, id, &end, &error); });
  if (verdict == HOSTMESH_LOCAL_END_FAIL) return Verdict::kFail;
  return verdict == HOSTMESH_LOCAL_END_TAKE_BACK ? Verdict::kTakeBack : Verdict::kReport;
}

PluginLauncher::PluginLauncher(std::shared_ptr<Plugin> plugin, const hostmesh_plugin_table& table,
                               Reactor& reactor, LaunchThread& launch_thread, Events events,
                               LocalLauncher::Options local, MakeChildLauncher local_procs)
    : state_(std::make_shared<State>(std::move(plugin), table, reactor, std::move(events))) {
  state_->registry = local.registry;
  state_->local =
      std::make_unique<LocalLauncher>(reactor, launch_thread, std::move(local), state_->host_events());
  state_->make_local_procs = std::move(local_procs);
}

PluginLauncher::~PluginLauncher() {
  state_->closed = true;
  if (state_->context) state_->context->closing();
  if (state_->instance != nullptr) {
    state_->guarded("destroy", 0, [this] { state_->table.destroy(state_->instance); });
  }
  if (state_->context) state_->context->closed();
  for (auto& [id, launch] : state_->launches) state_->forget_child(launch);
  state_->local.reset();
  state_->local_procs.reset();
}

std::function<void()> PluginLauncher::deliver() const {
  return [weak = std::weak_ptr(state_)] {
    if (const auto state = weak.lock()) state->deliver();
  };
}

Result<> PluginLauncher::open(std::shared_ptr<HostContext> context, const hostmesh_config& config) {
  state_->context = std::move(context);
  hostmesh_error error = detail::empty_error();
  const bool returned = state_->guarded("create", 0, [&] {
    state_->instance = state_->table.create(state_->context->handle(), &config, &error);
  });
  if (!returned)
    return Error(Cause::kPlugin, "plugin '" + state_->name() + "' threw an exception out of create");
  if (state_->instance == nullptr) return detail::to_error(state_->name(), error);
  return {};
}

void PluginLauncher::launch(LaunchId id, LaunchRequest request) {
  const auto [at, fresh] = state_->launches.try_emplace(id);
  HOSTMESH_ASSERT(fresh, "a launch id was used twice");
  at->second.rank = request.rank;
  state_->launch_begins(at->second);
  if (state_->plugin->description().can(Capability::kLocalProcs)) at->second.request = request;
  const TextListView argv(request.argv);
  const TextListView environment(request.environment);
  hostmesh_launch launch{};
  launch.size = sizeof(launch);
  launch.stdin_use = request.stdin_use == LaunchRequest::Stdin::kLifeline ? HOSTMESH_STDIN_LIFELINE
                                                                          : HOSTMESH_STDIN_PAYLOAD_THEN_EOF;
  launch.id = id;
  launch.rank = request.rank;
  launch.incarnation = request.incarnation;
  launch.argv = argv.get();
  launch.environment = environment.get();
  launch.working_directory = detail::to_view(request.working_directory);
  launch.stdin_payload = {request.stdin_payload.data(), request.stdin_payload.size()};
  launch.protocol = request.protocol == LaunchRequest::Protocol::kBootstrap ? HOSTMESH_PROTOCOL_BOOTSTRAP
                                                                            : HOSTMESH_PROTOCOL_NONE;

  hostmesh_error error = detail::empty_error();
  std::uint32_t cause = HOSTMESH_CAUSE_PLUGIN;
  const bool returned =
      state_->guarded("launch", id, [&] { cause = state_->table.launch(state_->instance, &launch, &error); });
  if (returned && cause == HOSTMESH_CAUSE_NONE) return;
  if (!returned) {
    constexpr std::string_view kThrew = "it threw an exception out of launch";
    kThrew.copy(error.text, kThrew.size());
    error.text_size = kThrew.size();
  }
  if (error.cause == HOSTMESH_CAUSE_NONE) error.cause = cause;
  state_->context->push(FailedReport{id, detail::to_error(state_->name(), error), true});
}

void PluginLauncher::signal(LaunchId id, int signal_number) {
  State::Launch* launch = state_->find(id);
  if (launch == nullptr) return;
  if (state_->table.signal == nullptr) return state_->context->push(SignalLocal{id, signal_number});
  state_->guarded("signal", id, [&] { state_->table.signal(state_->instance, id, signal_number); });
}

void PluginLauncher::close_stdin(LaunchId id) {
  State::Launch* launch = state_->find(id);
  if (launch == nullptr) return;
  if (state_->table.close_stdin == nullptr) return state_->context->push(CloseStdinLocal{id});
  state_->guarded("close_stdin", id, [&] { state_->table.close_stdin(state_->instance, id); });
}

void PluginLauncher::pause_output(LaunchId id) {
  const auto found = state_->launches.find(id);
  if (found == state_->launches.end() || std::exchange(found->second.paused, true)) return;
  if (found->second.ended) return;
  if (found->second.runner != nullptr) return State::pause_local(id, found->second);
  if (state_->table.pause_output == nullptr) return;
  found->second.plugin_is_told = true;
  state_->guarded("pause_output", id, [&] { state_->table.pause_output(state_->instance, id); });
}

void PluginLauncher::resume_output(LaunchId id) {
  const auto found = state_->launches.find(id);
  if (found == state_->launches.end() || !std::exchange(found->second.paused, false)) return;
  const bool plugin_is_told = std::exchange(found->second.plugin_is_told, false);
  if (found->second.runner != nullptr && !found->second.ended) {
    State::pause_local(id, found->second);
    if (!plugin_is_told) return;
  } else {
    // Behind this call, like every event.
    state_->reactor.post([weak = std::weak_ptr(state_), id] {
      if (const auto state = weak.lock()) state->release(id);
    });
  }
  if (state_->table.resume_output == nullptr || found->second.ended) return;
  state_->guarded("resume_output", id, [&] { state_->table.resume_output(state_->instance, id); });
}

std::vector<std::string> PluginLauncher::early_words(LaunchId id) const {
  const auto found = state_->launches.find(id);
  if (found == state_->launches.end() || found->second.phase != State::Phase::kLaunching) return {};
  return found->second.words();
}

}  // namespace hostmesh
