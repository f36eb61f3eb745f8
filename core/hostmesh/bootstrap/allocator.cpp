#include "hostmesh/bootstrap/allocator.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <future>
#include <set>
#include <sstream>
#include <utility>

#include "hostmesh/alloc/child_log.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/base/trusted_file.hpp"
#include "hostmesh/bootstrap/in_process_launcher.hpp"
#include "hostmesh/bootstrap/messages.hpp"
#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/plugin/installation.hpp"
#include "hostmesh/plugin/plugin.hpp"
#include "hostmesh/plugin/plugins_yaml.hpp"
#include "hostmesh/process/environment.hpp"
#include "hostmesh/process/spawn.hpp"
#include "hostmesh/shape/ranks_text.hpp"

namespace hostmesh {

namespace {

// How long the procs of an allocation that nobody holds any more may take to go.
constexpr Duration kAbandonGrace = std::chrono::seconds(2);
// Once one rank could not be launched, how long the others may take to make the report complete.
constexpr Duration kFailureSettle = std::chrono::seconds(4);

std::filesystem::path running_program() {
  std::error_code failure;
  auto path = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? std::filesystem::path() : path;
}

using bootstrap::Gate;
using bootstrap::Guests;
using bootstrap::Node;

// What an allocation consists of on the reactor. The handle that callers hold may go away first; this stays
// until its last child has ended.
class Allocation final : public Guests, public std::enable_shared_from_this<Allocation> {
 public:
  Allocation(Node& node, AllocSpec spec, BootstrapCommand command)
      : node_(node),
        spec_(std::move(spec)),
        command_(std::move(command)),
        uuid_("alloc_" + ShortUuid::random().digits()),
        timing_(spec_.timing.value_or(ChildTiming::from(node.config))),
        created_(spec_.extent.num_ranks()),
        started_(spec_.extent.num_ranks()),
        settled_(spec_.extent.num_ranks()),
        log_([this](ChildId rank, log::Level level, const std::string& text) {
          pass_on(rank, level, text);
        }) {}

  // Before its end only with the whole runtime, on the reactor: then the gate must not ask for it any more.
  ~Allocation() override {
    if (!children_) return;
    node_.gate.dismiss(uuid_);
    node_.engine.orphans.end(uuid_);
  }

  // Reactor thread.
  Result<> begin(Plugin& plugin, const OptionValues& options) {
    runs_here_ = plugin.description().can(Capability::kSameMachine);
    const auto weak = weak_from_this();
    auto children = Children::make(
        node_.reactor,
        [&](ChildLauncher::Events events) {
          return plugin.create(node_.reactor, node_.engine.launch_thread, options, std::move(events),
                               // TERM, not KILL: a child cleans up what is below it when its owner dies.
                               {.commands = {.parent_death_signal = node_.config.get(attribute::kPdeathsig)
                                                                        ? std::optional(SIGTERM)
                                                                        : std::nullopt,
                                             .descriptor_limit = node_.engine.usual_nofile,
                                             .registry = node_.engine.registry,
                                             .drain = node_.config.get(attribute::kOutputDrainTimeout),
                                             .grace = node_.config.get(attribute::kKillTimeout)},
                                .local_procs =
                                    [this](ChildLauncher::Events of_procs) {
                                      return std::make_unique<bootstrap::InProcessLauncher>(
                                          node_, std::move(of_procs));
                                    },
                                .use_tcp = [this] { spec_.transport = Transport::kTcp; }});
        },
        node_.config.get(attribute::kLaunchConcurrency),
        {.on_created = [this](ChildId rank, const ChildCreated& event) { on_created(rank, event); },
         .on_running = [this](ChildId rank) { on_running(rank); },
         .on_stopped = [this](ChildId rank, const StopReason& reason,
                              Children::Events::More more) { on_stopped(rank, reason, more); },
         .on_failed = [this](ChildId rank, const Error& error) { on_failed(rank, error); },
         .on_output =
             [this](ChildId rank, Stream stream, ByteView bytes) {
               if (stream != Stream::kStderr) return;
               const bool has_run = started_[rank].proc_id.valid();
               log_.feed(rank, has_run ? ChildLog::HasRun::kYes : ChildLog::HasRun::kNo, bytes, Clock::now());
             },
         .on_channel =
             [this](ChildId rank, UniqueFd socket) {
               behind_stdio_.insert(rank);
               node_.gate.serve(std::move(socket), uuid_, rank);
             }});
    if (!children) return children.error();
    const auto address = node_.gate.address(spec_.transport);
    if (!address) return address.error();
    gate_address_ = *address;
    children_ = *std::move(children);
    node_.gate.admit(uuid_, secret_, *this);
    node_.residents[uuid_] = shared_from_this();  // until the last child has ended
    node_.engine.orphans.begin(uuid_);
    for (Rank rank = 0; rank < spec_.extent.num_ranks(); ++rank) {
      children_->add(rank,
                     {.kind = ChildKind::kProtocol,
                      .request = [this, rank](Incarnation incarnation) { return request(rank, incarnation); },
                      .timing = timing_,
                      .respawn = spec_.respawn,
                      .tail_lines = node_.config.get(attribute::kTailLogLines),
                      .elsewhere = !runs_here_ && spec_.transport == Transport::kTcp});
    }
    return {};
  }

  // Reactor thread. Nobody listens any more: what still runs is sent away, and nothing is waited for.
  void abandon() {
    observer_ = nullptr;
    abandoned_ = true;
    stopping_ = true;
    queue_.close();
    if (!children_) return forget_routes();
    for (Rank rank = 0; rank < spec_.extent.num_ranks(); ++rank) children_->stop(rank, kAbandonGrace);
    finish_if_ended();
  }

  void stop() {
    stopping_ = true;
    if (!children_) return;
    for (Rank rank = 0; rank < spec_.extent.num_ranks(); ++rank) children_->stop(rank);
    finish_if_ended();
  }

  void kill() {
    stopping_ = true;
    if (!children_) return;
    for (Rank rank = 0; rank < spec_.extent.num_ranks(); ++rank) children_->kill(rank);
    finish_if_ended();
  }

  void observe(std::function<void(const ProcState&)> observer) {
    for (;;) {
      auto state = queue_.next(Deadline::after(Duration::zero()));
      if (!state || !*state) break;
      if (observer) observer(**state);
    }
    observer_ = std::move(observer);
  }

  // Reactor thread. The ranks that have not ended.
  std::vector<Rank> alive() const {
    std::vector<Rank> ranks;
    for (Rank rank = 0; children_ && rank < spec_.extent.num_ranks(); ++rank) {
      const auto phase = children_->phase(rank);
      if (phase && *phase != ChildPhase::kStopped) ranks.push_back(rank);
    }
    return ranks;
  }

  // Any thread.
  const AllocSpec& spec() const { return spec_; }
  const std::string& uuid() const { return uuid_; }
  ProcStateQueue& queue() { return queue_; }

  Children& children() override { return *children_; }

  bootstrap::StartProc start_for(ChildId rank, const bootstrap::Hello& hello) override {
    return {.proc_id =
                spec_.proc_name ? ProcId::direct(hello.addr, *spec_.proc_name) : ProcId::ranked(uuid_, rank),
            .owner_addr = *node_.gate.address(Transport::kUnix),
            // Who is reached over its stdin and stdout may be on a machine that no other one can reach: its
            // way to all others is its owner.
            .peer_secret = behind_stdio_.contains(rank) ? Secret() : peer_secret_,
            .mesh = uuid_};
  }

  void started(ChildId rank, const bootstrap::StartedProc& proc, const std::shared_ptr<Link>&) override {
    // The routes of an earlier incarnation; the present one's are bound already.
    bootstrap::StartedProc& former = started_[rank];
    if (former.proc_id.valid() && former.proc_id != proc.proc_id)
      node_.system.router().unbind(former.proc_id);
    if (former.addr.valid() && former.addr != proc.addr) node_.system.router().unbind_address(former.addr);
    former = proc;
  }

 private:
  LaunchRequest request(Rank rank, Incarnation incarnation) {
    const PeerClaim claim{
        .role = Role::kChild, .allocation = uuid_, .rank = rank, .incarnation = incarnation, .process = {}};
    const bootstrap::Payload payload{.allocation = uuid_,
                                     .rank = rank,
                                     .incarnation = incarnation,
                                     .key = key_for(secret_, claim),
                                     .owner_identity = bootstrap::kOwnerIdentity,
                                     .listen_on = std::string(to_string(spec_.transport)),
                                     .config = node_.config.propagated()};
    const auto trace = spec_.constraints.find("CLIENT_TRACE_ID");
    return {.rank = rank,
            .incarnation = incarnation,
            .argv = command_.argv,
            .environment = bootstrap::child_environment(
                command_.environment,
                {{bootstrap::kEnvAddr, gate_address_.text()},
                 {bootstrap::kEnvIndex, std::to_string(rank)},
                 {bootstrap::kEnvMode, bootstrap::kModeStdin},
                 {bootstrap::kEnvTraceId, trace == spec_.constraints.end() ? "" : trace->second},
                 {bootstrap::kEnvAllocation, uuid_},
                 {bootstrap::kEnvProcessName, "host rank:" + std::to_string(rank) + " @" + uuid_}}),
            .working_directory = command_.working_directory,
            .stdin_payload = bootstrap::pack_payload(payload),
            .stdin_use = LaunchRequest::Stdin::kLifeline,
            .protocol = LaunchRequest::Protocol::kBootstrap};
  }

  void publish(const ProcState& state) {
    if (observer_) {
      observer_(state);
    } else {
      queue_.push(state);
    }
  }

  void on_created(ChildId rank, const ChildCreated& event) {
    created_[rank] = event;
    publish(ProcCreated{.create_key = event.create_key,
                        .rank = rank,
                        .point = *spec_.extent.point_of_rank(rank),
                        .pid = event.pid,
                        .node = event.node});
    settled(rank);
  }

  // What a host has logged, as ours.
  void pass_on(Rank rank, log::Level level, const std::string& text) const {
    const std::string& node = created_[rank].node;
    const std::string line = text + " " + log::field("host_rank", std::to_string(rank)) + " " +
                             log::field("host", node) + " " +
                             log::field("host_pid", std::to_string(created_[rank].pid));
    if (level == log::Level::kError) {
      log::error(line);
    } else {
      log::warning(line);
    }
  }

  void on_running(ChildId rank) {
    log_.running(rank, Clock::now());
    const auto& proc = started_[rank];
    publish(ProcRunning{.create_key = created_[rank].create_key,
                        .rank = rank,
                        .proc_id = proc.proc_id,
                        .agent = proc.agent,
                        .addr = proc.addr});
  }

  void on_stopped(ChildId rank, const StopReason& reason, Children::Events::More) {
    log_.ended(rank);
    publish(ProcStopped{.create_key = created_[rank].create_key, .rank = rank, .reason = reason});
    node_.engine.orphans.launch_ended();
    // One that exits by itself has cleaned up; one that was killed leaves what it had started to us. Procs
    // inside this process clean up in any case.
    if (reason.signal != 0 && spec_.transport != Transport::kLocal) {
      ++sweeps_;
      node_.engine.orphans.sweep(uuid_, [weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        --self->sweeps_;
        self->finish_if_ended();
      });
    }
    finish_if_ended();
  }

  // One rank that cannot be launched is the end of the allocation: it could never become complete. The others
  // have a moment to fail as well, so that all that is wrong is told at once. A launch that fails because it
  // was cancelled by a stop is no failure of the allocation.
  void on_failed(ChildId rank, const Error& error) {
    log_.ended(rank);
    if (failed_) return finish_if_ended();
    if (stopping_ && failures_.empty()) return finish_if_ended();
    ErrorInfo info = error.with_rank(rank).with_phase("launch").info();
    if (info.command.empty() && runs_here_) info.command = command_text(command_.argv);
    failures_.emplace_back(std::move(info));
    if (failures_.size() == 1) {
      settle_ = std::make_unique<Timer>(node_.reactor);
      settle_->after(kFailureSettle, [this] { fail(); });
    }
    settled(rank);
  }

  void settled(Rank rank) {
    if (settled_[rank] == 0) ++settled_count_;
    settled_[rank] = 1;
    if (!failures_.empty() && settled_count_ == settled_.size()) fail();
  }

  void fail() {
    if (failures_.empty() || std::exchange(failed_, true)) return;
    settle_->cancel();
    publish(AllocFailed{.alloc = uuid_, .error = failures_.front(), .all = failures_});
    stop();
  }

  bool has_ended() const { return children_ && children_->alive() == 0 && sweeps_ == 0; }

  void finish_if_ended() {
    if (!has_ended()) return;
    // Not from inside a call of children_, and after the events that it has still to deliver, which may make
    // a sweep necessary.
    node_.reactor.post([weak = weak_from_this()] {
      if (const auto self = weak.lock(); self && self->has_ended()) self->finish();
    });
  }

  void finish() {
    if (std::exchange(finished_, true)) return;
    fail();
    settle_.reset();
    node_.engine.orphans.end(uuid_);
    node_.gate.dismiss(uuid_);
    // Here and not in the destructor, which may run on the thread of whoever held the allocation last.
    children_.reset();
    queue_.close();
    if (abandoned_) forget_routes();
    node_.residents.erase(uuid_);
  }

  // The way to a proc that is gone is kept as long as somebody may ask, who is then told why.
  void forget_routes() {
    for (const bootstrap::StartedProc& proc : started_) forget_route(proc);
  }
  void forget_route(const bootstrap::StartedProc& proc) {
    if (!proc.proc_id.valid()) return;
    node_.system.router().unbind(proc.proc_id);
    node_.system.router().unbind_address(proc.addr);
  }

  Node& node_;
  AllocSpec spec_;  // not changed any more once it has begun
  const BootstrapCommand command_;
  const std::string uuid_;
  const ChildTiming timing_;
  const Secret secret_ = Secret::random();
  const Secret peer_secret_ = secret_.derive("peers");
  ChannelAddr gate_address_;
  std::vector<ChildCreated> created_;
  std::vector<bootstrap::StartedProc> started_;
  std::set<Rank> behind_stdio_;
  std::unique_ptr<Children> children_;
  std::function<void(const ProcState&)> observer_;
  ProcStateQueue queue_;
  // Whether each rank has been launched, or could not be.
  std::vector<char> settled_;
  std::uint64_t settled_count_ = 0;
  std::vector<Error> failures_;
  std::unique_ptr<Timer> settle_;
  ChildLog log_;
  bool runs_here_ = false;
  bool failed_ = false;
  bool finished_ = false;
  bool abandoned_ = false;
  bool stopping_ = false;
  std::uint64_t sweeps_ = 0;  // of what killed procs left behind; the end of the stream comes after them
};

// How long an error that is there already waits for more to say.
constexpr std::chrono::seconds kEvidenceTime(1);

class PluginAlloc final : public Alloc {
 public:
  PluginAlloc(Runtime& runtime, std::shared_ptr<Allocation> allocation, const PluginDescription& plugin)
      : runtime_(runtime),
        allocation_(std::move(allocation)),
        is_local_(plugin.can(Capability::kLocalProcs)),
        is_on_this_machine_(plugin.can(Capability::kSameMachine)) {}

  // The safety net: whoever lets go of an allocation has it killed. Its observer is not called any more
  // afterwards, or, when it is the observer that let go, after that call.
  ~PluginAlloc() override {
    const auto abandon = [allocation = allocation_] { allocation->abandon(); };
    if (runtime_.reactor().on_thread()) {
      runtime_.reactor().post(abandon);
      return;
    }
    try {
      runtime_.run_on_reactor(abandon);
    } catch (const Error& error) {
      log::error("an allocation is left to itself " + log::field("why", error.text()));
      runtime_.reactor().post(abandon);
    }
  }

  std::optional<ProcState> next() override { return value_or_throw(next(Deadline::never())); }
  Result<std::optional<ProcState>> next(Deadline deadline) override {
    if (runtime_.reactor().on_thread()) {
      return Error(Cause::kInternal, "next() of an allocation blocks and was called on the reactor thread");
    }
    return allocation_->queue().next(deadline);
  }

  void stop() override {
    runtime_.reactor().post([allocation = allocation_] { allocation->stop(); });
  }

  Result<> stop_and_wait(Deadline deadline) override {
    stop();
    for (;;) {
      const auto state = next(deadline);
      if (!state) return still_alive(state.error());
      if (!*state) return {};
    }
  }

  void kill() override {
    runtime_.reactor().post([allocation = allocation_] { allocation->kill(); });
  }

  const std::string& name() const override { return allocation_->uuid(); }
  const AllocSpec& spec() const override { return allocation_->spec(); }
  bool is_local() const override { return is_local_; }
  bool is_on_this_machine() const override { return is_local_ || is_on_this_machine_; }

  void observe(std::function<void(const ProcState&)> observer) override {
    runtime_.run_on_reactor([&] { allocation_->observe(std::move(observer)); });
  }

 private:
  Error still_alive(const Error& why) {
    // The reactor may be what is in the way: then the error has to do without the ranks.
    const auto answer = std::make_shared<std::promise<std::vector<Rank>>>();
    auto alive = answer->get_future();
    runtime_.reactor().post([answer, allocation = allocation_] { answer->set_value(allocation->alive()); });
    ErrorInfo info = why.with_phase("stop").info();
    if (alive.wait_for(kEvidenceTime) != std::future_status::ready) {
      info.message += "; " + runtime_.reactor().blocked_text();
      return Error(std::move(info));
    }
    const std::vector<Rank> ranks = alive.get();
    if (ranks.empty()) return Error(std::move(info));
    info.rank = ranks.front();
    info.message = std::to_string(ranks.size()) + " of " + std::to_string(extent().num_ranks()) +
                   " ranks had not ended: rank " + ranks_text(ranks);
    return Error(std::move(info));
  }

  Runtime& runtime_;
  const std::shared_ptr<Allocation> allocation_;
  const bool is_local_;
  const bool is_on_this_machine_;
};

class PluginAllocator final : public Allocator {
 public:
  PluginAllocator(Runtime& runtime, std::shared_ptr<Plugin> plugin, OptionValues options,
                  BootstrapCommand command)
      : runtime_(runtime),
        plugin_(std::move(plugin)),
        options_(std::move(options)),
        command_(std::move(command)) {}

  std::unique_ptr<Alloc> allocate(AllocSpec spec) override {
    value_or_throw(validate(spec));
    if (plugin_->description().can(Capability::kLocalProcs)) {
      spec.transport = Transport::kLocal;  // nobody else is to be reached, and it costs no descriptors
    } else if (spec.transport == Transport::kLocal) {
      throw Error(Cause::kInvalidArgument,
                  "the transport 'local' reaches procs of one process only, and allocator '" +
                      plugin_->description().name + "' starts processes");
    }
    value_or_throw(prepare_gate(spec.transport));
    // Only when it is made does such a plugin say that it wants tcp; a name that is not known counts then.
    if (!plugin_->description().can(Capability::kSameMachine)) (void)prepare_gate(Transport::kTcp);
    auto allocation = std::make_shared<Allocation>(runtime_.node(), std::move(spec), command_);
    try {
      runtime_.run_on_reactor(
          [allocation, plugin = plugin_, options = options_] {
            const auto begun = allocation->begin(*plugin, options);
            if (!begun) throw begun.error();
          },
          runtime_.config().get(attribute::kLaunchTimeout));
    } catch (const Error& error) {
      if (error.cause() != Cause::kTimeout) throw;
      // When the plugin comes back, nobody wants what has begun.
      runtime_.reactor().post([allocation] { allocation->abandon(); });
      throw error.with_phase("launch");
    }
    return std::make_unique<PluginAlloc>(runtime_, std::move(allocation), plugin_->description());
  }

 private:
  // Waits for a name server, if need be: on the caller's thread, not on the reactor.
  Result<> prepare_gate(Transport transport) {
    const auto prepared = std::make_shared<std::promise<Result<>>>();
    auto result = prepared->get_future();
    const Deadline deadline = Deadline::after(runtime_.config().get(attribute::kLaunchTimeout));
    runtime_.run_on_reactor([&] {
      runtime_.node().gate.prepare(transport, deadline,
                                   [prepared](Result<> ready) { prepared->set_value(std::move(ready)); });
    });
    if (result.wait_until(deadline.later_by(kReactorPatience).when()) != std::future_status::ready)
      return Error(Cause::kTimeout, runtime_.reactor().blocked_text()).with_phase("listen");
    auto ready = result.get();
    if (!ready) return ready.error().with_phase("listen");
    return {};
  }

  Runtime& runtime_;
  const std::shared_ptr<Plugin> plugin_;
  const OptionValues options_;
  const BootstrapCommand command_;
};

}  // namespace

namespace {

constexpr const char* kStockChild = "hostmesh-bootstrap";

// The places where the stock child may be, in their order.
std::vector<std::filesystem::path> folders_of_stock_child() {
  // Beside the running program, or beside the `hostmesh` that it is the client of, where somebody may have
  // put another; else the one that belongs to this library.
  const auto program = running_program();
  const auto beside = program.parent_path();
  const bool is_client = program.filename() == "client" && beside.filename() == "hostmesh";
  std::vector<std::filesystem::path> folders;
  if (!program.empty()) folders.push_back(is_client ? beside / "../../bin" : beside);
  folders.push_back(installation_folder() / "bin");
  const char* const path = std::getenv("PATH");
  std::istringstream in_path(path == nullptr ? "" : path);
  for (std::string folder; std::getline(in_path, folder, ':');) {
    std::error_code failure;
    folders.push_back(std::filesystem::absolute(folder.empty() ? "." : folder, failure));
  }
  return folders;
}

}  // namespace

BootstrapCommand BootstrapCommand::stock() {
  for (const auto& folder : folders_of_stock_child()) {
    const auto candidate = folder / kStockChild;
    if (::access(candidate.c_str(), X_OK) != 0) continue;
    if (auto distrust = why_not_trusted(candidate)) {
      throw Error(ErrorInfo{.cause = Cause::kConfiguration,
                            .message = candidate.string() + " is not started: " + distrust->reason,
                            .os_error = distrust->error_number,
                            .hint = std::move(distrust->hint)});
    }
    return {.argv = {candidate.string()}, .environment = inherited_environment(), .working_directory = {}};
  }
  return {.argv = {kStockChild}, .environment = inherited_environment(), .working_directory = {}};
}

BootstrapCommand BootstrapCommand::this_program() {
  return {
      .argv = {running_program().string()}, .environment = inherited_environment(), .working_directory = {}};
}

std::unique_ptr<Allocator> load_allocator(const std::filesystem::path& file, std::string_view name,
                                          Runtime& runtime, BootstrapCommand command,
                                          std::shared_ptr<Cancel> cancel) {
  const std::filesystem::path used = file.empty() ? default_plugins_file() : file;
  const auto plugins = value_or_throw(load_plugins_yaml(used));
  if (used != installed_plugins_file())
    log::info("allocators are those of " + log::field("file", used.string()));
  const AllocatorEntry* entry = value_or_throw(plugins.find(name));
  PluginRegistry registry(plugins.search_path(),
                          {.timeout = runtime.node().config.get(attribute::kPluginLoadTimeout),
                           .registry = runtime.node().engine.registry,
                           .cancel = std::move(cancel)});
  auto plugin = value_or_throw(find_plugin(registry, *entry));
  auto options = value_or_throw(validate_options(*entry, plugin->description()));
  return make_allocator(std::move(plugin), std::move(options), runtime, std::move(command));
}

std::unique_ptr<Allocator> make_allocator(std::shared_ptr<Plugin> plugin, OptionValues options,
                                          Runtime& runtime, BootstrapCommand command) {
  return std::make_unique<PluginAllocator>(runtime, std::move(plugin), std::move(options),
                                           std::move(command));
}

}  // namespace hostmesh
