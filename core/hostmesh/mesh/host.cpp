#include "hostmesh/mesh/host.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <map>
#include <sstream>
#include <utility>

#include "hostmesh/actor/context.hpp"
#include "hostmesh/alloc/child_log.hpp"
#include "hostmesh/alloc/children.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/bootstrap/in_process_launcher.hpp"
#include "hostmesh/mesh/host_agent.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/environment.hpp"
#include "hostmesh/process/local_launcher.hpp"

namespace hostmesh {

namespace {

LaunchRequest::Stderr stderr_use(const ProcTemplate& proc) {
  const bool merged =
      proc.kind == ProcTemplate::Kind::kCommand && proc.stderr_use == ProcTemplate::Stderr::kWithStdout;
  return merged ? LaunchRequest::Stderr::kWithStdout : LaunchRequest::Stderr::kOutput;
}

// Where the stock child lies on the client's machine says nothing about another one: there it is this
// program, or what this program takes the place of.
std::vector<std::string> argv_of(const ProcTemplate& proc) {
  if (proc.kind != ProcTemplate::Kind::kBootstrap || proc.argv.empty()) return proc.argv;
  const std::filesystem::path program = proc.argv.front();
  if (program.filename() != "hostmesh-bootstrap" || ::access(program.c_str(), X_OK) == 0) return proc.argv;
  std::error_code failure;
  std::vector<std::string> argv = proc.argv;
  argv.front() = std::filesystem::read_symlink("/proc/self/exe", failure).string();
  return failure ? proc.argv : argv;
}

// What the allocator has said of this host for the procs on it.
struct HostWords {
  std::vector<std::pair<std::string, std::string>> variables;
  bool own_folder = false;

  static HostWords read() {
    HostWords words;
    const char* const folder = std::getenv(bootstrap::kEnvHostFolder);
    words.own_folder = folder != nullptr && std::string_view(folder) == "own";
    const char* const names = std::getenv(bootstrap::kEnvHostVariables);
    std::istringstream in(names == nullptr ? "" : names);
    for (std::string name; std::getline(in, name, ',');) {
      if (const char* value = std::getenv(name.c_str())) words.variables.emplace_back(name, value);
    }
    return words;
  }
};

Status status_of(const StopReason& reason) {
  return reason.kind == StopReason::Kind::kStopped ? Status::stopped() : Status::failed(reason.text());
}

}  // namespace

struct Host::Impl final : bootstrap::Guests, std::enable_shared_from_this<Host::Impl> {
  // One proc; its ChildId is its place in `procs`.
  struct ProcEntry {
    std::string mesh;
    Rank rank = 0;
    ProcChange state;
  };

  struct Mesh {
    CreateProcs request;
    std::vector<ChildId> procs;
    std::size_t alive = 0;
    std::vector<ProcChange> unsent;
    std::uint64_t outstanding = 0;  // output bytes sent and not taken
    bool dropping = false;          // what exceeds the window is dropped instead of held back
    std::uint64_t dropped = 0;      // bytes
    std::vector<ChildId> held_back;
    std::vector<std::function<void(std::vector<ProcChange>)>> waiting_for_end;
  };

  Impl(bootstrap::Node& its_node, ChannelAddr addr)
      : node(its_node), ref(std::move(addr)), allocation("host_" + ShortUuid::random().digits()) {}

  using Kind = ProcTemplate::Kind;

  // Plain commands are processes in any case; procs that take actors are where their host is.
  std::unique_ptr<ChildLauncher> make_launcher(Kind kind, ChildLauncher::Events events) {
    if (kind == Kind::kBootstrap && node.is_inside_another()) {
      return std::make_unique<bootstrap::InProcessLauncher>(node, std::move(events));
    }
    node.started_processes = true;
    // TERM lets a bootstrapped proc clean up what is below it when we die; a plain command just has to go.
    const int death_signal = kind == Kind::kBootstrap ? SIGTERM : SIGKILL;
    return std::make_unique<LocalLauncher>(
        node.reactor, node.engine.launch_thread,
        LocalLauncher::Options{.parent_death_signal = node.config.get(attribute::kPdeathsig)
                                                          ? std::optional(death_signal)
                                                          : std::nullopt,
                               .node = {},
                               .descriptor_limit = node.engine.usual_nofile,
                               .registry = node.engine.registry,
                               .drain = node.config.get(attribute::kOutputDrainTimeout),
                               .grace = node.config.get(attribute::kKillTimeout)},
        std::move(events));
  }

  Result<std::unique_ptr<Children>> make_children(Kind kind) {
    return Children::make(
        node.reactor,
        [&](ChildLauncher::Events events) -> Result<std::unique_ptr<ChildLauncher>> {
          return make_launcher(kind, std::move(events));
        },
        node.config.get(attribute::kLaunchConcurrency),
        {.on_created = [this](ChildId id, const ChildCreated& event) { on_created(id, event); },
         .on_running =
             [this](ChildId id) {
               proc_log.running(id, Clock::now());
               change(id, Status::running());
             },
         .on_stopped = [this](ChildId id, const StopReason& reason,
                              Children::Events::More) { on_stopped(id, reason); },
         .on_failed = [this](ChildId id, const Error& error) { on_failed(id, error); },
         .on_output = [this](ChildId id, Stream stream, ByteView bytes) { on_output(id, stream, bytes); }});
  }

  // Made when they are first needed: most hosts have procs of one kind, and there may be very many hosts.
  Result<> need_children(Kind kind) {
    auto& children = kind == Kind::kCommand ? plain : bootstrapped;
    if (children) return {};
    auto made = make_children(kind);
    if (!made) return made.error();
    children = *std::move(made);
    if (kind == Kind::kBootstrap) node.gate.admit(allocation, secret, *this);
    return {};
  }

  Result<> begin() {
    node.system.router().add_own_address(ref.addr());
    Proc& service = node.system.add_proc(ref.service_proc());
    const auto agent =
        service.spawn(kAgentActor, std::make_unique<HostAgent>(*owner),
                      {.where = Where::kReactor, .on_exception = SpawnOptions::OnException::kEndsMessage});
    if (!agent) return agent.error();
    return {};
  }

  Children& children_of(const Mesh& mesh) {
    return mesh.request.proc.kind == Kind::kCommand ? *plain : *bootstrapped;
  }

  Result<> create(const CreateProcs& request) {
    if (shutting_down)
      return Error(Cause::kCancelled, "the host is shutting down").with_host(ref.addr().text());
    if (meshes.contains(request.mesh)) return {};  // asked twice
    if (request.count > kMostRanks) return Error(Cause::kInvalidArgument, "more procs than can be");
    if (const auto needed = need_children(request.proc.kind); !needed) return needed.error();
    Mesh& mesh = meshes[request.mesh];
    mesh.request = request;
    for (std::uint64_t local = 0; local < request.count; ++local) {
      const ChildId id = procs.size();
      const Rank rank = request.first_rank + local;
      procs.push_back(
          {.mesh = request.mesh,
           .rank = rank,
           .state = {.rank = rank, .status = Status::initializing(), .pid = 0, .reason = std::nullopt}});
      mesh.procs.push_back(id);
      ++mesh.alive;
    }
    const bool plain_procs = request.proc.kind == Kind::kCommand;
    for (std::uint64_t local = 0; local < request.count; ++local) {
      children_of(mesh).add(
          mesh.procs[local],
          {.kind = plain_procs ? ChildKind::kPlain : ChildKind::kProtocol,
           .request = [this, id = mesh.procs[local],
                       local](Incarnation incarnation) { return launch_request(id, local, incarnation); },
           .timing = timing(request.ready_within),
           .respawn = {},
           .tail_lines = node.config.get(attribute::kTailLogLines)});
    }
    return {};
  }

  // The phases share what the client grants, so that the host, which knows the cause, always speaks before
  // the client gives up.
  ChildTiming timing(Duration ready_within) const {
    ChildTiming timing = ChildTiming::from(node.config);
    if (ready_within > Duration::zero()) {
      timing.launch = std::min(timing.launch, ready_within / 4);
      timing.hello = std::min(timing.hello, ready_within / 2);
      timing.start = std::min(timing.start, ready_within / 4);
    }
    return timing;
  }

  LaunchRequest launch_request(ChildId id, std::uint64_t local, Incarnation incarnation) {
    const ProcEntry& proc = procs[id];
    const CreateProcs& request = meshes.at(proc.mesh).request;
    const Extent& extent = request.extent;
    const auto point = extent.point_of_rank(proc.rank);
    LaunchRequest launch{.rank = proc.rank,
                         .incarnation = incarnation,
                         .argv = argv_of(request.proc),
                         .environment = {},
                         .working_directory = words.own_folder ? "" : request.proc.working_directory,
                         .stdin_payload = {},
                         .stdin_use = LaunchRequest::Stdin::kPayloadThenEof,
                         .folder_use = LaunchRequest::Folder::kPreferred,
                         .stderr_use = stderr_use(request.proc)};
    const std::string rank = std::to_string(proc.rank);
    const std::string world = std::to_string(extent.num_ranks());
    std::vector<std::pair<std::string, std::string>> added{
        {"HOSTMESH_RANK", rank},
        {"HOSTMESH_WORLD_SIZE", world},
        {"HOSTMESH_HOST_RANK", std::to_string(request.host_rank)},
        {"HOSTMESH_LOCAL_RANK", std::to_string(local)},
        {"HOSTMESH_LOCAL_WORLD_SIZE", std::to_string(request.count)},
        {"HOSTMESH_POINT", point ? point->text() : ""},
        {"HOSTMESH_MESH", request.host_mesh},
        {"RANK", rank},
        {"WORLD_SIZE", world},
        {"LOCAL_RANK", std::to_string(local)}};
    for (const auto& variable : words.variables) {
      if (std::ranges::find(added, variable.first, &std::pair<std::string, std::string>::first) ==
          added.end())
        added.push_back(variable);
    }
    // The mark by which our owner knows what we leave behind, should we be killed.
    if (!node.mark.empty()) added.emplace_back(bootstrap::kEnvAllocation, node.mark);
    if (request.proc.kind == Kind::kBootstrap) {
      const PeerClaim claim{.role = Role::kChild,
                            .allocation = allocation,
                            .rank = id,
                            .incarnation = incarnation,
                            .process = {}};
      launch.stdin_payload = bootstrap::pack_payload({.allocation = allocation,
                                                      .rank = id,
                                                      .incarnation = incarnation,
                                                      .key = key_for(secret, claim),
                                                      .owner_identity = bootstrap::kOwnerIdentity,
                                                      .listen_on = std::nullopt,
                                                      .config = request.config});
      launch.stdin_use = LaunchRequest::Stdin::kLifeline;
      launch.protocol = LaunchRequest::Protocol::kBootstrap;
      const auto address = node.gate.address(node.own_transport());
      added.insert(added.end(),
                   {{bootstrap::kEnvAddr, address ? address->text() : ""},
                    {bootstrap::kEnvIndex, rank},
                    {bootstrap::kEnvMode, bootstrap::kModeStdin},
                    {bootstrap::kEnvProcessName, "proc " + name_of(proc) + " @ " + ref.addr().text()}});
    }
    launch.environment = bootstrap::child_environment(request.proc.environment, added);
    if (request.proc.takes_hosts_own) add_hosts_own(launch.environment, inherited_environment());
    return launch;
  }

  static std::string name_of(const ProcEntry& proc) { return proc.mesh + "_" + std::to_string(proc.rank); }

  // Guests: the bootstrapped procs of this host.
  Children& children() override { return *bootstrapped; }
  bootstrap::StartProc start_for(ChildId id, const bootstrap::Hello&) override {
    return {.proc_id = ref.named_proc(name_of(procs[id])),
            .owner_addr = ref.addr(),
            .peer_secret = {},
            .mesh = procs[id].mesh};
  }
  void started(ChildId, const bootstrap::StartedProc&, const std::shared_ptr<Link>&) override {}

  void on_created(ChildId id, const ChildCreated& event) { procs[id].state.pid = event.pid; }

  // Records the change and tells the owner at the end of this turn, together with all others of the turn.
  void change(ChildId id, Status status) {
    ProcEntry& proc = procs[id];
    proc.state.status = std::move(status);
    Mesh& mesh = meshes.at(proc.mesh);
    mesh.unsent.push_back(proc.state);
    if (mesh.unsent.size() > 1) return;
    node.reactor.post([weak = weak_from_this(), name = proc.mesh] {
      if (const auto self = weak.lock()) self->tell(name);
    });
  }

  void tell(const std::string& name) {
    Mesh& mesh = meshes.at(name);
    if (mesh.unsent.empty()) return;
    service_send(mesh.request.changes, ProcChanges{.mesh = name, .changes = std::exchange(mesh.unsent, {})});
  }

  template <class T>
  void service_send(const PortRef<T>& port, const T& message) {
    node.system.router().post({.kind = EnvelopeKind::kSend,
                               .dest = port.id(),
                               .sender = ref.agent().id(),
                               .call = 0,
                               .ttl = 0,
                               .payload = wire::encode(message)},
                              send_class_of<T>());
  }

  void on_output(ChildId id, Stream stream, ByteView bytes) {
    const ProcEntry& proc = procs[id];
    Mesh& mesh = meshes.at(proc.mesh);
    if (!mesh.request.output) return keep_warnings(id, stream, bytes);
    if (mesh.dropping && mesh.outstanding >= mesh.request.output_window) {
      mesh.dropped += bytes.size();
      return;
    }
    const auto what = stream == Stream::kStdout ? ProcOutput::What::kStdout : ProcOutput::What::kStderr;
    service_send(*mesh.request.output, ProcOutput{.rank = proc.rank,
                                                  .what = what,
                                                  .bytes = Bytes(bytes.begin(), bytes.end()),
                                                  .reason = std::nullopt,
                                                  .failure = {}});
    mesh.outstanding += bytes.size();
    if (mesh.outstanding < mesh.request.output_window) return;
    if (std::find(mesh.held_back.begin(), mesh.held_back.end(), id) != mesh.held_back.end()) return;
    mesh.held_back.push_back(id);
    children_of(mesh).pause_output(id);
  }

  // Nobody wants what a proc says, but its warnings are.
  void keep_warnings(ChildId id, Stream stream, ByteView bytes) {
    if (stream != Stream::kStderr) return;
    const bool has_run = procs[id].state.status.kind >= StatusKind::kRunning;
    proc_log.feed(id, has_run ? ChildLog::HasRun::kYes : ChildLog::HasRun::kNo, bytes, Clock::now());
  }

  void pass_on(ChildId id, log::Level level, const std::string& text) const {
    const std::string line = text + " " + log::field("proc", name_of(procs[id])) + " " +
                             log::field("proc_pid", std::to_string(procs[id].state.pid));
    if (level == log::Level::kError) {
      log::error(line);
    } else {
      log::warning(line);
    }
  }

  void output_taken(const OutputTaken& taken) {
    const auto found = meshes.find(taken.mesh);
    if (found == meshes.end()) return;
    Mesh& mesh = found->second;
    mesh.outstanding -= std::min(mesh.outstanding, taken.bytes);
    if (mesh.outstanding > mesh.request.output_window / 2) return;
    for (const ChildId id : std::exchange(mesh.held_back, {})) children_of(mesh).resume_output(id);
  }

  void on_stopped(ChildId id, const StopReason& reason) {
    proc_log.ended(id);
    procs[id].state.reason = reason;
    if (reason.kind == StopReason::Kind::kWatchdog) ++given_up;
    change(id, status_of(reason));
    ended(id, reason, {});
  }

  void on_failed(ChildId id, const Error& error) {
    proc_log.ended(id);
    const Error placed = error.with_rank(procs[id].rank).with_host(ref.addr().text()).with_phase("launch");
    // Without the rank, so that ranks that failed alike are told together, and without what is known of all.
    ErrorInfo info = error.info();
    info.phase.clear();
    info.command.clear();
    change(id, Status::failed(Error(std::move(info)).text()));
    ended(id, std::nullopt, placed.text());
  }

  void ended(ChildId id, const std::optional<StopReason>& reason, const std::string& failure) {
    const std::string name = procs[id].mesh;
    Mesh& mesh = meshes.at(name);
    // A proc stays bound to its closed link, so that whoever calls it later is told that it is gone, and why.
    if (mesh.request.output) {
      service_send(*mesh.request.output, ProcOutput{.rank = procs[id].rank,
                                                    .what = ProcOutput::What::kEnd,
                                                    .bytes = {},
                                                    .reason = reason,
                                                    .failure = failure});
    }
    --mesh.alive;
    settle(name);
    stop_next();
    finish_shutdown();
  }

  // Answers those who wait for the end of this mesh, once it has ended.
  void settle(const std::string& name) {
    Mesh& mesh = meshes.at(name);
    if (mesh.alive > 0 || mesh.waiting_for_end.empty()) return;
    tell(name);
    const std::vector<ProcChange> last = states(name);
    for (const auto& done : std::exchange(mesh.waiting_for_end, {})) done(last);
  }

  void stop(const StopProcs& request, std::function<void(std::vector<ProcChange>)> done) {
    const auto found = meshes.find(request.mesh);
    if (found == meshes.end()) return done({});
    Mesh& mesh = found->second;
    mesh.waiting_for_end.push_back(std::move(done));
    if (request.drops_output) release_output(mesh);
    for (const ChildId id : mesh.procs) stop_proc(id, request.grace);
    settle(request.mesh);
  }

  void signal(const SignalProcs& request) {
    const auto found = meshes.find(request.mesh);
    if (found == meshes.end() || request.signal < 1 || request.signal > SIGRTMAX) return;
    Mesh& mesh = found->second;
    for (const ChildId id : mesh.procs) children_of(mesh).signal(id, request.signal);
  }

  // In a shutdown, and while a spawn is undone, nobody may be taking output any more, and a command that is
  // held back could not end: what exceeds the window from here on is dropped.
  void release_output(Mesh& mesh) {
    mesh.dropping = true;
    for (const ChildId id : std::exchange(mesh.held_back, {})) children_of(mesh).resume_output(id);
  }

  void stop_proc(ChildId id, std::optional<Duration> within) {
    Mesh& mesh = meshes.at(procs[id].mesh);
    Children& children = children_of(mesh);
    const std::size_t alive = children.alive();
    if (within && *within <= Duration::zero()) {
      children.kill(id);
    } else {
      children.stop(id, within);
    }
    // One that was never launched ends without an event.
    if (children.alive() < alive && children.phase(id) == ChildPhase::kLaunching) {
      change(id, Status::stopped());
      ended(id, std::nullopt, "it was stopped before it was started");
    }
  }

  std::vector<ProcChange> states(const std::string& name) const {
    std::vector<ProcChange> all;
    const auto found = meshes.find(name);
    if (found == meshes.end()) return all;
    for (const ChildId id : found->second.procs) all.push_back(procs[id].state);
    return all;
  }

  void shutdown(const ShutdownHost& request, std::function<void(const HostDown&)> done) {
    waiting_for_shutdown.push_back(std::move(done));
    if (!std::exchange(shutting_down, true)) {
      grace = request.terminate_within;
      max_in_flight = std::clamp<std::uint64_t>(request.max_in_flight, 1, 256);
      for (auto& [name, mesh] : meshes) release_output(mesh);
      for (ChildId id = 0; id < procs.size(); ++id) {
        if (!procs[id].state.status.is_terminated()) to_stop.push_back(id);
      }
    }
    stop_next();
    finish_shutdown();
  }

  // Keeps `max_in_flight` procs on their way out.
  void stop_next() {
    std::erase_if(in_flight, [this](ChildId id) { return procs[id].state.status.is_terminated(); });
    while (!to_stop.empty() && in_flight.size() < max_in_flight) {
      const ChildId id = to_stop.front();
      to_stop.pop_front();
      if (procs[id].state.status.is_terminated()) continue;
      in_flight.push_back(id);
      stop_proc(id, grace);
    }
  }

  void finish_shutdown() {
    if (!shutting_down || alive() > 0) return;
    for (auto& [name, mesh] : meshes) {
      tell(name);
      if (mesh.dropped > 0) {
        log::warning("output that nobody took was dropped at shutdown mesh=" + name +
                     " bytes=" + std::to_string(mesh.dropped));
      }
    }
    const HostDown down{.given_up = given_up, .left_behind = left_behind()};
    for (const auto& done : std::exchange(waiting_for_shutdown, {})) done(down);
  }

  // What the procs had started and not ended, and which this process kills as it goes. A host inside another
  // process cannot tell it from what the others there have left.
  std::vector<LeftBehind> left_behind() const {
    std::vector<LeftBehind> left;
    if (node.is_inside_another()) return left;
    for (const Orphan& orphan : living_orphans()) {
      // Those of a command's group were killed, and named, when the command ended.
      const auto leads = [&orphan](const ProcEntry& proc) {
        return orphan.group != 0 && proc.state.pid == orphan.group;
      };
      if (std::ranges::any_of(procs, leads)) continue;
      left.push_back({.rank = rank_of(orphan.pid), .pid = orphan.pid, .name = orphan.name});
    }
    return left;
  }

  // The rank in whose environment it was started.
  static std::optional<Rank> rank_of(pid_t pid) {
    constexpr std::string_view kEntry("\0HOSTMESH_RANK=", 15);
    const std::string environment =
        '\0' + read_proc_file("/proc/" + std::to_string(pid) + "/environ").value_or("");
    const std::size_t at = environment.find(kEntry);
    if (at == std::string::npos) return std::nullopt;
    Rank rank = 0;
    const char* const begin = environment.data() + at + kEntry.size();
    const auto [end, failed] = std::from_chars(begin, environment.data() + environment.size(), rank);
    return failed == std::errc() ? std::optional(rank) : std::nullopt;
  }

  std::size_t alive() const {
    return (plain ? plain->alive() : 0) + (bootstrapped ? bootstrapped->alive() : 0);
  }

  bootstrap::Node& node;
  const HostRef ref;
  const HostWords words = HostWords::read();
  const std::string allocation;  // of the procs of this host
  const Secret secret = Secret::random();
  Host* owner = nullptr;
  std::unique_ptr<Children> bootstrapped;  // each null until there are such procs
  std::unique_ptr<Children> plain;
  ChildLog proc_log{
      [this](ChildId id, log::Level level, const std::string& text) { pass_on(id, level, text); }};
  std::deque<ProcEntry> procs;
  std::map<std::string, Mesh> meshes;
  bool shutting_down = false;
  Duration grace{};
  std::uint64_t max_in_flight = 1;
  std::deque<ChildId> to_stop;
  std::vector<ChildId> in_flight;
  std::uint64_t given_up = 0;
  std::vector<std::function<void(const HostDown&)>> waiting_for_shutdown;
};

Host::Host(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {
  impl_->owner = this;
}

Host::~Host() {
  impl_->node.gate.dismiss(impl_->allocation);
}

Result<std::unique_ptr<Host>> Host::make(bootstrap::Node& node, const ChannelAddr& addr) {
  std::unique_ptr<Host> host(new Host(std::make_shared<Impl>(node, addr)));
  if (auto begun = host->impl_->begin(); !begun)
    return begun.error().with_host(addr.text()).with_phase("host");
  return host;
}

const HostRef& Host::ref() const {
  return impl_->ref;
}
Result<> Host::create(const CreateProcs& request) {
  return impl_->create(request);
}
void Host::output_taken(const OutputTaken& taken) {
  impl_->output_taken(taken);
}
void Host::stop(const StopProcs& request, std::function<void(std::vector<ProcChange>)> done) {
  impl_->stop(request, std::move(done));
}
void Host::signal(const SignalProcs& request) {
  impl_->signal(request);
}
std::vector<ProcChange> Host::states(const std::string& mesh) const {
  return impl_->states(mesh);
}
std::vector<std::string> Host::meshes() const {
  std::vector<std::string> names;
  for (const auto& [name, mesh] : impl_->meshes) names.push_back(name);
  return names;
}
void Host::shutdown(const ShutdownHost& request, std::function<void(const HostDown&)> done) {
  impl_->shutdown(request, std::move(done));
}

}  // namespace hostmesh
