#include "hostmesh/mesh/host_mesh.hpp"

#include <algorithm>
#include <future>
#include <map>
#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/mesh/host_failures.hpp"
#include "hostmesh/mesh/host_mesh_impl.hpp"
#include "hostmesh/mesh/trampoline.hpp"
#include "hostmesh/shape/ranked_text.hpp"

namespace hostmesh {

namespace {

// Output under way, over all hosts of a mesh, before commands are held back.
constexpr std::uint64_t kOutputBudget = 64 << 20;  // bytes
constexpr std::uint64_t kMostOutputWindow = 1 << 20;
constexpr std::uint64_t kLeastOutputWindow = 64 << 10;
// Once one proc has failed, how long the others may take to make the report complete.
constexpr Duration kFailureSettle = std::chrono::seconds(2);

// Of one proc, why it failed; of several, which are in which state.
std::string spawn_failure_text(const std::vector<ProcChange>& procs, const StatusMesh& statuses) {
  if (procs.size() == 1) {
    if (procs.front().reason) return "the proc ended before it was up";  // how is told behind it
    const Status& status = procs.front().status;
    return status.kind == StatusKind::kFailed ? status.reason : "the proc did not start: " + status.text();
  }
  const auto failed =
      std::ranges::count_if(procs, [](const auto& proc) { return !proc.status.is_healthy(); });
  return std::to_string(failed) + " of " + std::to_string(procs.size()) +
         " procs did not start; FROM..TO are the ranks from FROM to before TO: " + ranked_text(statuses);
}

}  // namespace

std::string HostTable::text(Rank rank) const {
  const std::lock_guard lock(mutex);
  const Host& host = hosts.at(rank);
  if (host.node.empty()) return host.ref.addr().text();
  return host.pid == 0 ? host.node : host.node + " (pid " + std::to_string(host.pid) + ")";
}

struct HostMesh::Impl : std::enable_shared_from_this<HostMesh::Impl> {
  // How far one rank has come on its way to being a host.
  enum class Phase : std::uint8_t { kLaunch, kHello, kHost, kReady };

  Impl(Runtime& its_runtime, std::unique_ptr<Alloc> its_alloc, Name its_name, AllocateOptions its_options)
      : runtime(its_runtime),
        alloc(std::move(its_alloc)),
        name(std::move(its_name)),
        options(std::move(its_options)),
        table(std::make_shared<HostTable>(its_runtime)),
        phases(alloc->extent().num_ranks(), Phase::kLaunch) {
    table->hosts.resize(phases.size());
  }

  // --- on the reactor
  // ---------------------------------------------------------------------------------------------

  void on_state(const ProcState& state) {
    if (const auto* created = std::get_if<ProcCreated>(&state)) {
      {
        const std::lock_guard lock(table->mutex);
        table->hosts[created->rank].node = created->node;
        table->hosts[created->rank].pid = created->pid;
      }
      advance(created->rank, Phase::kHello);
    } else if (const auto* running = std::get_if<ProcRunning>(&state)) {
      advance(running->rank, Phase::kHost);
      make_host(*running);
    } else if (const auto* stopped = std::get_if<ProcStopped>(&state)) {
      on_stopped(*stopped);
    } else if (const auto* failed = std::get_if<AllocFailed>(&state)) {
      fail(*failed);
    }
    if (options.on_state) options.on_state(state);
  }

  void make_host(const ProcRunning& proc) {
    {
      const std::lock_guard lock(table->mutex);
      table->hosts[proc.rank].ref = HostRef(proc.addr);
    }
    const Trampoline::Params params{.rank = proc.rank, .addr = proc.addr, .answer = ready_port};
    runtime.client().call_async(
        ActorRef<ProcAgentProtocol>::attest(proc.agent),
        SpawnActor{.type = kTrampoline,
                   .name = "host_mesh_trampoline",
                   .params = wire::encode(params),
                   .owner = std::nullopt},
        deadline, [weak = weak_from_this(), rank = proc.rank](const Result<ActorId>& trampoline) {
          const auto self = weak.lock();
          if (self && !trampoline) self->fail(self->placed(trampoline.error(), rank));
        });
  }

  void on_ready(const HostReady& host) {
    if (host.rank >= phases.size()) return;
    ActorId expected;
    {
      const std::lock_guard lock(table->mutex);
      expected = table->hosts[host.rank].ref.agent().id();
    }
    if (host.agent != expected) {
      fail(placed(
          Error(Cause::kProtocol, "the host's agent is " + host.agent.text() + " and not " + expected.text()),
          host.rank));
      return;
    }
    advance(host.rank, Phase::kReady);
  }

  void on_stopped(const ProcStopped& stopped) {
    Phase phase{};
    {
      const std::lock_guard lock(mutex);
      phase = phases[stopped.rank];
    }
    {
      const std::lock_guard lock(table->mutex);
      table->hosts[stopped.rank].ended = stopped.reason;
    }
    for (const auto& weak : table->proc_meshes) {
      if (const auto procs = weak.lock()) procs->host_ended(stopped.rank, stopped.reason);
    }
    if (phase == Phase::kReady) return;
    // Its connection may be seen to end before it is; only this says how, so it replaces that.
    ErrorInfo info =
        placed(Error(Cause::kChildExited, "the process ended before it was a host"), stopped.rank).info();
    info.exit_status = stopped.reason.text();
    info.last_lines = stopped.reason.stderr_tail;
    fail(Error(std::move(info)));
  }

  Error placed(const Error& error, Rank rank) {
    Phase phase{};
    {
      const std::lock_guard lock(mutex);
      phase = phases[rank];
    }
    return error.with_rank(rank).with_host(table->text(rank)).with_phase(phase_name(phase));
  }

  static const char* phase_name(Phase phase) {
    switch (phase) {
      case Phase::kLaunch:
        return "launch";
      case Phase::kHello:
        return "hello";
      case Phase::kHost:
        return "host";
      case Phase::kReady:
        return "run";
    }
    return "";
  }

  void advance(Rank rank, Phase phase) {
    {
      const std::lock_guard lock(mutex);
      if (phases[rank] >= phase) return;
      phases[rank] = phase;
    }
    if (phase != Phase::kReady) return;
    // Before the waiting caller may go on: no progress is told of what has returned. Only this thread changes
    // `ready`.
    if (options.on_progress) options.on_progress(ready + 1, phases.size());
    const std::lock_guard lock(mutex);
    ++ready;
    changed.notify_all();
  }

  // The first failure of a rank counts, except that the news of an exit says more than that of a lost
  // connection.
  void fail(const Error& error) {
    const std::lock_guard lock(mutex);
    if (is_told) return;
    const auto [at, fresh] = failures.try_emplace(error.info().rank.value_or(0), error);
    const bool says_more = at->second.cause() == Cause::kPeerGone && error.cause() == Cause::kChildExited;
    if (!fresh && says_more) at->second = error;
    changed.notify_all();
  }

  // What comes after it are the ends of those that are stopped for it.
  void fail(const AllocFailed& failed) {
    for (const Error& error : failed.all) fail(error);
    const std::lock_guard lock(mutex);
    is_told = true;
    changed.notify_all();
  }

  // With the mutex held: nothing more is to be expected of any rank.
  bool is_settled() const {
    if (is_told) return true;
    const auto is_open = [](const auto& failure) { return failure.second.cause() == Cause::kPeerGone; };
    return ready + failures.size() >= phases.size() && std::ranges::none_of(failures, is_open);
  }

  // With the mutex held.
  Error failure() const {
    std::vector<HostFailure> all;
    const std::lock_guard lock(table->mutex);
    for (const auto& [rank, error] : failures) {
      const std::string& node = table->hosts[rank].node;
      all.push_back({.rank = rank, .node = node.empty() ? error.info().host : node, .error = error});
    }
    return error_of_hosts(std::move(all), phases.size());
  }

  // --- on the caller's thread
  // -------------------------------------------------------------------------------------

  void bring_up() {
    auto [port, handle] =
        runtime.client().open_handler_port<HostReady>([weak = weak_from_this()](const HostReady& host) {
          if (const auto self = weak.lock()) self->on_ready(host);
        });
    ready_port = port;
    ready_handle = std::move(handle);
    deadline = Deadline::after(options.within);
    if (options.cancel) {
      options.cancel->on_request([weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
          const std::lock_guard lock(self->mutex);
          self->changed.notify_all();
        }
      });
    }
    alloc->observe([weak = weak_from_this()](const ProcState& state) {
      if (const auto self = weak.lock()) self->on_state(state);
    });

    std::optional<Error> problem;
    {
      std::unique_lock lock(mutex);
      changed.wait_until(lock, deadline.when(),
                         [this] { return !failures.empty() || cancelled() || ready == phases.size(); });
      // Others may be about to fail, and the exit status that explains a lost connection is on its way.
      if (!failures.empty()) {
        changed.wait_for(lock, kFailureSettle, [this] { return is_settled() || cancelled(); });
        problem = failure();
      }
      if (cancelled()) {
        problem = Error(ErrorInfo{.cause = Cause::kCancelled, .message = "cancelled", .phase = "allocate"});
      }
      if (!problem && ready < phases.size()) problem = missing_ranks();
    }
    if (problem && problem->cause() == Cause::kTimeout) problem = with_refusals(*problem);
    if (problem) {
      stop_alloc();
      throw *problem;
    }
    std::vector<HostRef> refs;
    for (const HostTable::Host& host : table->hosts) refs.push_back(host.ref);
    ref = value_or_throw(HostMeshRef::make(name, alloc->extent(), std::move(refs)));
  }

  bool cancelled() const { return options.cancel && options.cancel->requested(); }

  // With the mutex held.
  Error missing_ranks() const {
    std::string text;
    std::optional<Rank> first;
    for (const Phase phase : {Phase::kLaunch, Phase::kHello, Phase::kHost}) {
      std::vector<Rank> ranks;
      for (Rank rank = 0; rank < phases.size(); ++rank) {
        if (phases[rank] == phase) ranks.push_back(rank);
      }
      if (ranks.empty()) continue;
      if (!first) first = ranks.front();
      text += (text.empty() ? "" : "; ") + std::string("in phase ") + phase_name(phase) + ": rank " +
              ranks_text(ranks);
    }
    return Error(ErrorInfo{.cause = Cause::kTimeout,
                           .message = std::to_string(phases.size() - ready) + " of " +
                                      std::to_string(phases.size()) + " hosts were not ready within " +
                                      to_string(options.within) + " (" + text + ")",
                           .rank = first,
                           .host = first && phases[*first] > Phase::kLaunch ? table->text(*first) : "",
                           .phase = "allocate",
                           .hint = "a longer --timeout, or hostmesh run -v to see how far each host comes"});
  }

  // The children know only that nobody answers them; why not, such as a lack of descriptors, is known here.
  Error with_refusals(const Error& problem) {
    // The reactor may be what is in the way: then the error has to do without.
    const auto answer = std::make_shared<std::promise<std::string>>();
    auto refusal = answer->get_future();
    runtime.reactor().post([answer, &node = runtime.node()] { answer->set_value(node.gate.last_refusal()); });
    if (refusal.wait_for(kFailureSettle) != std::future_status::ready) return problem;
    const std::string why = refusal.get();
    if (why.empty()) return problem;
    ErrorInfo info = problem.info();
    info.message += "; the last connection that was turned away here: " + why;
    return Error(std::move(info));
  }

  // Bounded by the machine's own escalation.
  Duration stop_limit() const {
    const Config& config = runtime.config();
    return config.get(attribute::kProcessExitTimeout) + 3 * config.get(attribute::kKillTimeout) +
           batches() * (config.get(attribute::kTerminateTimeout) + config.get(attribute::kKillTimeout));
  }

  // How often a host that stops so many procs at a time has to begin anew, at least once.
  std::uint64_t batches() const {
    const std::uint64_t at_a_time =
        std::clamp<std::uint64_t>(runtime.config().get(attribute::kTerminateConcurrency), 1, 256);
    return procs_per_host / at_a_time + 1;
  }

  void stop_alloc() {
    // Nothing is told any more of readiness once allocate() has thrown; but who watches is to see the ends.
    try {
      runtime.run_on_reactor([this] { ready_handle = {}; });
    } catch (const Error& error) {  // then nothing can be waited for
      log::error(error.text());
      alloc->kill();
      return;
    }
    alloc->kill();
    if (const auto stopped = alloc->stop_and_wait(Deadline::after(stop_limit())); !stopped) {
      log::error(stopped.error().text());
    }
  }

  Runtime& runtime;
  std::unique_ptr<Alloc> alloc;
  const Name name;
  const AllocateOptions options;
  const std::shared_ptr<HostTable> table;
  std::optional<HostMeshRef> ref;
  PortRef<HostReady> ready_port;
  PortHandle ready_handle;
  Deadline deadline;

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Phase> phases;
  std::uint64_t ready = 0;
  std::map<Rank, Error> failures;
  bool is_told = false;              // the allocation has said all that is wrong
  std::uint64_t procs_per_host = 0;  // of all meshes so far
  std::mutex shutdown_mutex;         // held for the whole of a shutdown: who comes second finds it done
  bool is_shut_down = false;
};

HostMesh::HostMesh(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
HostMesh::HostMesh(HostMesh&&) noexcept = default;
HostMesh& HostMesh::operator=(HostMesh&&) noexcept = default;
HostMesh::~HostMesh() = default;

HostMesh HostMesh::allocate(Runtime& runtime, std::unique_ptr<Alloc> alloc, std::string_view name,
                            AllocateOptions options) {
  refuse_on_reactor(runtime.client(), "HostMesh::allocate()");
  if (alloc->spec().respawn.max_restarts > 0) {
    throw Error(
        Cause::kInvalidArgument,
        "a host mesh cannot be made of an allocation that respawns: a new host would not have the procs of "
        "the one it replaces");
  }
  auto impl = std::make_shared<Impl>(runtime, std::move(alloc), value_or_throw(Name::unique(name)),
                                     std::move(options));
  impl->bring_up();
  return HostMesh(std::move(impl));
}

const HostMeshRef& HostMesh::ref() const {
  return *impl_->ref;
}
const Extent& HostMesh::extent() const {
  return impl_->alloc->extent();
}
std::string HostMesh::host_text(Rank rank) const {
  return impl_->table->text(rank);
}

ProcMesh HostMesh::spawn(std::string_view name, const Extent& per_host, ProcOptions options) {
  refuse_on_reactor(impl_->runtime.client(), "HostMesh::spawn()");
  const Name unique = value_or_throw(Name::unique(name));
  const auto whole = extent().concat(per_host);
  if (!whole) {
    throw Error(Cause::kInvalidArgument, "per_host dims overlap with the hosts': " + whole.error().text());
  }
  value_or_throw(validate_ranks(per_host, "a per-host extent"));
  value_or_throw(validate_ranks(*whole, "a proc mesh"));
  const Config& config = impl_->runtime.config();
  const Duration max_idle = options.max_idle.value_or(config.get(attribute::kProcSpawnMaxIdle));
  const Duration within = options.within.value_or(max_idle);
  const Deadline deadline = Deadline::after(within);
  // The host, which knows the cause, is to speak before we give up.
  const Duration ready_within =
      std::min(config.get(attribute::kHostSpawnReadyTimeout), std::min(max_idle, within) * 4 / 5);

  auto procs = std::make_shared<ProcMesh::Impl>(impl_->table, unique.text(), *whole, per_host.num_ranks(),
                                                std::move(options));
  Client& client = impl_->runtime.client();
  auto [changes, changes_handle] =
      client.open_handler_port<ProcChanges>([weak = procs->weak_from_this()](const ProcChanges& news) {
        const auto self = weak.lock();
        if (!self) return;
        for (const ProcChange& change : news.changes) self->apply(change);
      });
  procs->ports.push_back(std::move(changes_handle));
  std::optional<PortRef<ProcOutput>> output;
  if (procs->options.on_output) {
    auto [port, handle] =
        client.open_handler_port<ProcOutput>([weak = procs->weak_from_this()](ProcOutput piece) {
          if (const auto self = weak.lock()) self->take(std::move(piece));
        });
    output = port;
    procs->ports.push_back(std::move(handle));
  }

  // Procs inside this process have no program, and no environment in which they could read of their mesh;
  // what is told to each of very many hosts is to be small.
  const bool in_this_process = impl_->alloc->is_local() && !procs->options.command;
  const BootstrapCommand program = in_this_process          ? BootstrapCommand{}
                                   : procs->options.command ? *procs->options.command
                                                            : procs->options.bootstrap;
  const Exported environment =
      exported(program.environment, procs->options.exported, !impl_->alloc->is_on_this_machine());
  const std::uint64_t host_count = impl_->table->hosts.size();
  impl_->procs_per_host += per_host.num_ranks();
  CreateProcs request{
      .mesh = unique.text(),
      .host_mesh = in_this_process ? "" : ref().text(),
      .extent = *whole,
      .count = per_host.num_ranks(),
      .proc = {.kind = procs->options.command ? ProcTemplate::Kind::kCommand : ProcTemplate::Kind::kBootstrap,
               .argv = program.argv,
               .environment = environment.variables,
               .working_directory = program.working_directory,
               .stderr_use = procs->options.stderr_use,
               .takes_hosts_own = environment.takes_hosts_own},
      .config = config.propagated(),
      .ready_within = ready_within,
      .changes = changes,
      .output = output,
      .output_window = std::clamp(kOutputBudget / host_count, kLeastOutputWindow, kMostOutputWindow)};
  impl_->runtime.run_on_reactor([&] {
    impl_->table->proc_meshes.push_back(procs);
    for (Rank host = 0; host < host_count; ++host) {
      std::optional<StopReason> ended;
      HostRef ref;
      {
        const std::lock_guard lock(impl_->table->mutex);
        ended = impl_->table->hosts[host].ended;
        ref = impl_->table->hosts[host].ref;
      }
      if (ended) {
        procs->host_ended(host, *ended);
        continue;
      }
      request.host_rank = host;
      request.first_rank = procs->first_rank(host);
      client.call_async(
          ref.agent(), request, deadline,
          [weak = procs->weak_from_this(), host, count = request.count](const Result<void>& accepted) {
            const auto self = weak.lock();
            // A host that is gone is told of by the allocation, with the reason.
            if (!self || accepted || accepted.error().cause() == Cause::kPeerGone) return;
            const std::string why = accepted.error().with_host(self->hosts->text(host)).text();
            for (Rank rank = self->first_rank(host); rank < self->first_rank(host) + count; ++rank) {
              self->apply({.rank = rank, .status = Status::failed(why), .pid = 0, .reason = std::nullopt});
              self->take({.rank = rank,
                          .what = ProcOutput::What::kEnd,
                          .bytes = {},
                          .reason = std::nullopt,
                          .failure = why});
            }
          });
    }
  });

  if (procs->options.cancel) {
    procs->options.cancel->on_request([weak = procs->weak_from_this()] {
      if (const auto self = weak.lock()) {
        const std::lock_guard lock(self->mutex);
        self->changed.notify_all();
      }
    });
  }
  const auto cancelled = [&procs] { return procs->options.cancel && procs->options.cancel->requested(); };

  // Done when nobody is pending; over when nothing is heard for max_idle, or altogether.
  std::optional<Cause> problem;
  TimePoint started = Clock::now();
  {
    std::unique_lock lock(procs->mutex);
    while (procs->pending > 0 && !problem) {
      const std::uint64_t heard = procs->news;
      Deadline until =
          Deadline::after(procs->failures > 0 ? kFailureSettle : max_idle).and_no_later_than(deadline);
      const bool news =
          procs->changed.wait_until(lock, until.when(), [&] { return procs->news != heard || cancelled(); });
      if (cancelled()) problem = Cause::kCancelled;
      if (!news) problem = procs->failures > 0 ? Cause::kRemote : Cause::kTimeout;
    }
    if (!problem && procs->failures > 0) problem = Cause::kRemote;
  }
  ProcMesh mesh(procs);
  if (!problem) return mesh;

  // What is reported is what was known now; then everything is undone.
  std::vector<ProcChange> seen = mesh.procs();
  std::vector<Status> statuses;
  ErrorInfo info{
      .cause = *problem, .phase = "spawn", .command = program.argv.empty() ? "" : program.argv.front()};
  for (ProcChange& proc : seen) {
    if (proc.status.kind < StatusKind::kRunning) proc.status = Status::timeout(Clock::now() - started);
    if (proc.status.is_failure() && !info.rank) {
      info.rank = proc.rank;
      info.host = impl_->table->text(procs->host_of(proc.rank));
      if (proc.reason) {
        info.exit_status = proc.reason->text();
        info.last_lines = proc.reason->stderr_tail;
      }
    }
    statuses.push_back(proc.status);
  }
  const auto status_mesh = value_or_throw(StatusMesh::from_dense(*whole, std::move(statuses)));
  info.message = spawn_failure_text(seen, status_mesh);
  procs->is_undone = true;
  try {
    (void)mesh.stop();
  } catch (const Error& error) {
    log::error("the roll-back of a failed spawn is incomplete: " + error.text());
  }
  // Nothing is told of these procs once this has thrown.
  impl_->runtime.run_on_reactor([&procs] { procs->ports.clear(); });
  throw Error(std::move(info));
}

StatusMesh HostMesh::proc_states(const ProcMesh& procs) {
  refuse_on_reactor(impl_->runtime.client(), "HostMesh::proc_states()");
  const Duration limit = impl_->runtime.config().get(attribute::kGetProcStateMaxIdle);
  const std::uint64_t host_count = impl_->table->hosts.size();
  const TimePoint asked = Clock::now();
  const Deadline deadline = Deadline::after(limit, asked);
  Gather<std::vector<ProcChange>> gather(host_count, deadline);
  for (Rank host = 0; host < host_count; ++host) {
    impl_->runtime.client().call_async(ref().hosts()[host].agent(), GetProcStates{.mesh = procs.name()},
                                       deadline, gather.slot(host));
  }
  const auto answers = gather.wait_all();
  std::vector<Status> statuses(procs.extent().num_ranks());
  const std::uint64_t per_host = statuses.size() / host_count;
  for (Rank host = 0; host < host_count; ++host) {
    if (answers[host]) {
      for (const ProcChange& proc : *answers[host]) {
        if (proc.rank < statuses.size()) statuses[proc.rank] = proc.status;
      }
      continue;
    }
    const Status unknown = answers[host].error().cause() == Cause::kTimeout
                               ? Status::timeout(Clock::now() - asked)
                               : Status::failed(answers[host].error().text());
    for (Rank rank = host * per_host; rank < (host + 1) * per_host; ++rank) statuses[rank] = unknown;
  }
  return value_or_throw(StatusMesh::from_dense(procs.extent(), std::move(statuses)));
}

std::vector<ProcChange> HostMesh::stop_proc_mesh(ProcMesh& procs, std::optional<Duration> grace) {
  return procs.stop(grace);
}

std::vector<LeftBehind> HostMesh::shutdown() {
  refuse_on_reactor(impl_->runtime.client(), "HostMesh::shutdown()");
  const std::lock_guard shutting_down(impl_->shutdown_mutex);
  if (std::exchange(impl_->is_shut_down, true)) return {};
  const Config& config = impl_->runtime.config();
  const ShutdownHost request{.terminate_within = config.get(attribute::kTerminateTimeout),
                             .max_in_flight = config.get(attribute::kTerminateConcurrency)};
  // First all procs everywhere. A host that does not answer in time is killed with the allocation below.
  const Deadline deadline = Deadline::after(impl_->stop_limit());
  std::vector<Rank> alive;
  {
    const std::lock_guard lock(impl_->table->mutex);
    for (Rank host = 0; host < impl_->table->hosts.size(); ++host) {
      if (!impl_->table->hosts[host].ended) alive.push_back(host);
    }
  }
  Gather<HostDown> gather(alive.size(), deadline);
  for (std::size_t i = 0; i < alive.size(); ++i) {
    impl_->runtime.client().call_async(ref().hosts()[alive[i]].agent(), request, deadline, gather.slot(i));
  }
  std::vector<std::pair<Rank, Error>> failures;
  std::vector<LeftBehind> left;
  const auto answers = gather.wait_all();
  for (std::size_t i = 0; i < alive.size(); ++i) {
    if (answers[i]) left.insert(left.end(), answers[i]->left_behind.begin(), answers[i]->left_behind.end());
    if (!answers[i] && answers[i].error().cause() != Cause::kPeerGone) {
      failures.emplace_back(alive[i], answers[i].error().with_host(impl_->table->text(alive[i])));
    }
  }
  // Then all hosts. Their ends are still observed: whoever asks for something here later is told at once.
  const auto stopped = impl_->alloc->stop_and_wait(Deadline::after(impl_->stop_limit()));
  if (!failures.empty()) throw error_of_ranks("shutdown", failures, impl_->table->hosts.size());
  value_or_throw(stopped);
  return left;
}

void HostMesh::kill() {
  impl_->alloc->kill();
}

}  // namespace hostmesh
