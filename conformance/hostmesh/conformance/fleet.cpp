#include "hostmesh/conformance/fleet.hpp"

#include <map>
#include <utility>

#include "payload/actors.hpp"
#include "payload/pattern.hpp"

namespace hostmesh::conformance {

namespace {

// The environment of whoever runs the suite says nothing about the plugin.
RuntimeOptions runtime_options() {
  return {.config = Config(nullptr)};
}

// How far one incarnation has come.
enum class Phase { kNew, kCreated, kRunning, kStopped };

std::map<std::string, Phase> phases_of(Stage& stage, const std::vector<ProcState>& states) {
  std::map<std::string, Phase> phases;
  const auto step = [&](const ProcState& state, const ShortUuid& key, Phase to) {
    Phase& now = phases[key.text()];
    const bool good = to == Phase::kCreated   ? now == Phase::kNew
                      : to == Phase::kRunning ? now == Phase::kCreated
                                              : now == Phase::kCreated || now == Phase::kRunning;
    stage.expect(good, "each proc is Created, then Running or not, then Stopped, each once",
                 text_of(state) + " came when it was not its turn");
    now = to;
  };
  for (const ProcState& state : states) {
    if (const auto* created = std::get_if<ProcCreated>(&state)) {
      step(state, created->create_key, Phase::kCreated);
    } else if (const auto* running = std::get_if<ProcRunning>(&state)) {
      step(state, running->create_key, Phase::kRunning);
    } else if (const auto* stopped = std::get_if<ProcStopped>(&state)) {
      step(state, stopped->create_key, Phase::kStopped);
    }
  }
  return phases;
}

}  // namespace

std::string text_of(const ProcState& state) {
  const auto of_rank = [](const auto& one) { return "rank " + std::to_string(one.rank) + " "; };
  if (const auto* created = std::get_if<ProcCreated>(&state)) {
    return of_rank(*created) + "Created as " + created->create_key.text() + ", pid " +
           std::to_string(created->pid) + " on " + created->node;
  }
  if (const auto* running = std::get_if<ProcRunning>(&state)) {
    return of_rank(*running) + "Running as " + running->create_key.text() + ", " + running->proc_id.text();
  }
  if (const auto* stopped = std::get_if<ProcStopped>(&state)) {
    return of_rank(*stopped) + "Stopped as " + stopped->create_key.text() + ", " + stopped->reason.text();
  }
  return "Failed: " + std::get<AllocFailed>(state).error.text();
}

Fleet::Fleet(Stage& stage) : stage_(stage), runtime_(payload::actors(), runtime_options()) {
  stage.subject();
}

BootstrapCommand Fleet::child(const std::vector<std::string>& scenario) const {
  LaunchRequest request = stage_.payload(scenario);
  return {.argv = std::move(request.argv),
          .environment = std::move(request.environment),
          .working_directory = {}};
}

std::unique_ptr<Alloc> Fleet::make(AllocSpec spec, BootstrapCommand command) {
  const Subject& subject = stage_.subject();
  return make_allocator(subject.plugin, subject.options, runtime_, std::move(command))
      ->allocate(std::move(spec));
}

Fleet::Allocation Fleet::allocate(AllocSpec spec) {
  return allocate(std::move(spec), child());
}

Fleet::Allocation Fleet::allocate(AllocSpec spec, BootstrapCommand command) {
  stage_.note("allocate " + spec.extent.text());
  return {stage_, make(std::move(spec), std::move(command))};
}

HostMesh Fleet::host_mesh(AllocSpec spec) {
  stage_.note("allocate the hosts of " + spec.extent.text());
  return HostMesh::allocate(runtime_, make(std::move(spec), child()), "conformance",
                            {.within = stage_.deadline().remaining(),
                             .on_state = [this](const ProcState& state) { stage_.note(text_of(state)); },
                             .on_progress = nullptr,
                             .cancel = nullptr});
}

ProcMesh Fleet::procs(HostMesh& mesh, const Extent& per_host) {
  ProcOptions options;
  options.bootstrap = child();
  options.within = stage_.deadline().remaining();
  options.on_change = [this](const ProcChange& change) {
    stage_.note("proc " + std::to_string(change.rank) + ", pid " + std::to_string(change.pid) + " changes" +
                (change.reason ? ": " + change.reason->text() : ""));
  };
  return mesh.spawn("procs", per_host, std::move(options));
}

std::optional<ProcState> Fleet::Allocation::next() {
  auto state = alloc_->next(stage_.deadline());
  if (!state) {
    stage_.fail("the stream goes on, or ends",
                "nothing came until the time of the case was over, after " + text());
  }
  if (!*state) {
    stage_.note("end of the stream");
    return std::nullopt;
  }
  stage_.note(text_of(**state));
  states_.push_back(**state);
  return std::move(*state);
}

void Fleet::Allocation::await_running() {
  while (of<ProcRunning>().size() < alloc_->extent().num_ranks()) {
    const auto state = next();
    const bool good =
        state && !std::holds_alternative<ProcStopped>(*state) && !std::holds_alternative<AllocFailed>(*state);
    stage_.expect(good, "every rank comes to run", state ? text_of(*state) : "the stream has ended");
  }
}

void Fleet::Allocation::await_end() {
  while (next()) {
  }
}

std::string Fleet::Allocation::text() const {
  return std::to_string(of<ProcCreated>().size()) + " Created, " + std::to_string(of<ProcRunning>().size()) +
         " Running, " + std::to_string(of<ProcStopped>().size()) + " Stopped, " +
         std::to_string(of<AllocFailed>().size()) + " Failed";
}

void expect_in_order(Stage& stage, const std::vector<ProcState>& states) {
  phases_of(stage, states);
}

void expect_complete(Stage& stage, const std::vector<ProcState>& states) {
  for (const auto& [key, phase] : phases_of(stage, states)) {
    stage.expect(phase == Phase::kStopped, "each proc that was Created is Stopped before the end",
                 key + " was not");
  }
}

}  // namespace hostmesh::conformance
