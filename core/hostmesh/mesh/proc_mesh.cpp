#include "hostmesh/mesh/proc_mesh.hpp"

#include <algorithm>
#include <csignal>

#include "hostmesh/mesh/host_mesh_impl.hpp"

namespace hostmesh {

ProcMesh::Impl::Impl(std::shared_ptr<HostTable> its_hosts, std::string its_name, Extent its_extent,
                     std::uint64_t its_per_host, ProcOptions its_options)
    : hosts(std::move(its_hosts)),
      name(std::move(its_name)),
      extent(std::move(its_extent)),
      per_host(its_per_host),
      options(std::move(its_options)),
      procs(extent.num_ranks()),
      ended(extent.num_ranks()),
      pending(extent.num_ranks()) {
  for (Rank rank = 0; rank < procs.size(); ++rank) procs[rank].rank = rank;
}

void ProcMesh::Impl::apply(const ProcChange& change) {
  if (change.rank >= procs.size()) return;
  {
    const std::lock_guard lock(mutex);
    ProcChange& proc = procs[change.rank];
    if (proc.status.is_terminated()) return;  // terminal is absorbing
    const bool was_pending = proc.status.kind < StatusKind::kRunning;
    proc = change;
    if (was_pending && proc.status.kind >= StatusKind::kRunning) {
      --pending;
      // A command may be over before it is seen running; a proc that takes actors may not.
      if (proc.status.is_failure() && (!options.command || !proc.reason)) ++failures;
      if (proc.status.is_terminated() && !proc.status.is_failure() && !options.command) ++failures;
    }
    ++news;
    changed.notify_all();
  }
  if (options.on_change) options.on_change(change);
}

void ProcMesh::Impl::take(ProcOutput output) {
  if (output.rank >= procs.size()) return;
  if (output.what == ProcOutput::What::kEnd) {
    if (ended[output.rank]) return;
    ended[output.rank] = true;
  }
  if (options.on_output) options.on_output(std::move(output));
}

void ProcMesh::Impl::host_ended(Rank host, const StopReason& reason) {
  const std::string why =
      "its host, rank " + std::to_string(host) + " at " + hosts->text(host) + ", " + reason.text();
  for (Rank rank = first_rank(host); rank < first_rank(host + 1); ++rank) {
    std::int64_t pid = 0;
    bool gone = false;
    {
      const std::lock_guard lock(mutex);
      pid = procs[rank].pid;
      gone = procs[rank].status.is_terminated();
    }
    StopReason lost{.kind = StopReason::Kind::kHostWatchdog, .stderr_tail = {}, .detail = why};
    if (!gone) apply({.rank = rank, .status = Status::failed(why), .pid = pid, .reason = lost});
    take({.rank = rank, .what = ProcOutput::What::kEnd, .bytes = {}, .reason = lost, .failure = {}});
  }
}

ProcMesh::ProcMesh(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

const std::string& ProcMesh::name() const {
  return impl_->name;
}
const Extent& ProcMesh::extent() const {
  return impl_->extent;
}

ProcId ProcMesh::proc_id(Rank rank) const {
  const std::lock_guard lock(impl_->hosts->mutex);
  return impl_->hosts->hosts.at(impl_->host_of(rank))
      .ref.named_proc(impl_->name + "_" + std::to_string(rank));
}

StatusMesh ProcMesh::statuses() const {
  std::vector<Status> statuses;
  for (ProcChange& proc : procs()) statuses.push_back(std::move(proc.status));
  return value_or_throw(StatusMesh::from_dense(impl_->extent, std::move(statuses)));
}

std::vector<ProcChange> ProcMesh::procs() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->procs;
}

Client& ProcMesh::client() const {
  return impl_->hosts->runtime.client();
}

Duration ProcMesh::call_timeout() const {
  return impl_->hosts->runtime.config().get(attribute::kMessageDeliveryTimeout);
}

std::vector<ActorId> ProcMesh::spawn_actors(const std::string& type, const std::string& name, Bytes params) {
  refuse_on_reactor(client(), "ProcMesh::spawn()");
  const Duration limit = impl_->hosts->runtime.config().get(attribute::kActorSpawnMaxIdle);
  const Deadline deadline = Deadline::after(limit);
  const auto agent = [this](Rank rank) {
    return ActorRef<ProcAgentProtocol>::attest(ActorId{.proc = proc_id(rank), .name = kAgentActor});
  };
  const std::uint64_t count = impl_->extent.num_ranks();
  Gather<ActorId> gather(count, deadline);
  for (Rank rank = 0; rank < count; ++rank) {
    client().call_async(agent(rank),
                        SpawnActor{.type = type, .name = name, .params = params, .owner = std::nullopt},
                        deadline, gather.slot(rank));
  }
  std::vector<ActorId> actors;
  std::vector<std::pair<Rank, Error>> failures;
  std::vector<std::pair<Rank, ActorId>> made;
  const auto answers = gather.wait_all();
  for (Rank rank = 0; rank < count; ++rank) {
    if (answers[rank]) {
      actors.push_back(*answers[rank]);
      made.emplace_back(rank, *answers[rank]);
    } else {
      failures.emplace_back(rank, answers[rank].error());
    }
  }
  if (failures.empty()) return actors;
  Gather<void> undone(made.size(), Deadline::after(limit));
  for (std::size_t i = 0; i < made.size(); ++i) {
    client().call_async(agent(made[i].first), StopActor{.actor = made[i].second, .within = limit},
                        Deadline::after(limit), undone.slot(i));
  }
  (void)undone.wait_all();
  throw error_of_ranks("spawn actor '" + name + "'", failures, count);
}

std::vector<ProcChange> ProcMesh::stop(std::optional<Duration> grace) {
  refuse_on_reactor(client(), "ProcMesh::stop()");
  const Config& config = impl_->hosts->runtime.config();
  // Long enough for TERM, KILL and giving up on the host.
  const Duration limit = config.get(attribute::kProcStopMaxIdle) + grace.value_or(Duration::zero()) +
                         2 * config.get(attribute::kKillTimeout);
  const Deadline deadline = Deadline::after(limit);
  std::vector<std::pair<Rank, HostRef>> alive;
  {
    const std::lock_guard lock(impl_->hosts->mutex);
    for (Rank host = 0; host < impl_->hosts->hosts.size(); ++host) {
      const HostTable::Host& entry = impl_->hosts->hosts[host];
      if (!entry.ended) alive.emplace_back(host, entry.ref);
    }
  }
  Gather<std::vector<ProcChange>> gather(alive.size(), deadline);
  for (std::size_t i = 0; i < alive.size(); ++i) {
    const StopProcs request{.mesh = impl_->name, .grace = grace, .drops_output = impl_->is_undone};
    client().call_async(alive[i].second.agent(), request, deadline, gather.slot(i));
  }
  const auto answers = gather.wait_all();
  std::vector<std::pair<Rank, Error>> failures;
  for (std::size_t i = 0; i < alive.size(); ++i) {
    if (answers[i]) {
      impl_->hosts->runtime.run_on_reactor([&] {
        for (const ProcChange& change : *answers[i]) impl_->apply(change);
      });
    } else if (answers[i].error().cause() != Cause::kPeerGone) {  // gone with its host: as stopped as can be
      failures.emplace_back(impl_->first_rank(alive[i].first),
                            answers[i].error().with_host(impl_->hosts->text(alive[i].first)));
    }
  }
  if (!failures.empty()) throw error_of_ranks("stop", failures, impl_->extent.num_ranks());
  return procs();
}

void ProcMesh::signal(int number) {
  if (number < 1 || number > SIGRTMAX)
    throw Error(Cause::kInvalidArgument, "there is no signal " + std::to_string(number));
  std::vector<HostRef> alive;
  {
    const std::lock_guard lock(impl_->hosts->mutex);
    for (const HostTable::Host& host : impl_->hosts->hosts) {
      if (!host.ended) alive.push_back(host.ref);
    }
  }
  for (const HostRef& host : alive) {
    client().send(host.agent(), SignalProcs{.mesh = impl_->name, .signal = number});
  }
}

void ProcMesh::output_taken(Rank rank, std::uint64_t bytes) {
  HostRef host;
  {
    const std::lock_guard lock(impl_->hosts->mutex);
    host = impl_->hosts->hosts.at(impl_->host_of(rank)).ref;
  }
  client().send(host.agent(), OutputTaken{.mesh = impl_->name, .bytes = bytes});
}

}  // namespace hostmesh
