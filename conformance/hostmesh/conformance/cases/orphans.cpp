// Group orphans: whoever dies, and however, what it started does not outlive it.
#include <csignal>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/controller.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "hostmesh/conformance/probe.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kLifeline = "abi.h, HOSTMESH_CAPABILITY_LIFELINE";

// Commands that each leave a daemon in a session of its own behind, which ignores TERM.
ProcMesh daemons(Fleet& fleet, HostMesh& hosts) {
  ProcOptions options;
  options.command = fleet.child({"daemonise", "stay"});
  return hosts.spawn("daemons", {{"procs", 2}}, std::move(options));
}

void killed_while_launching(Stage& stage) {
  for (const int later_ms : {0, 1, 3, 10, 30}) {
    Controller controller(stage, [](Stage& its, const Controller::Told& told) {
      Probe probe(its);
      told();
      for (int i = 0; i < 8; ++i) probe.launch(its.payload({"until-stdin-ends", "0"}));
      Controller::wait_to_be_killed();
    });
    controller.kill(std::chrono::milliseconds(later_ms));
    expect_nobody_left(stage);
  }
}

void killed_while_running(Stage& stage) {
  Controller controller(stage, [](Stage& its, const Controller::Told& told) {
    Probe probe(its);
    for (int i = 0; i < 4; ++i) probe.launch_ready(its.payload({"until-stdin-ends", "0"}));
    told();
    Controller::wait_to_be_killed();
  });
  controller.kill();
  expect_nobody_left(stage);
}

void killed_while_allocating(Stage& stage) {
  for (const int later_ms : {0, 10, 40}) {
    Controller controller(stage, [](Stage& its, const Controller::Told& told) {
      Fleet fleet(its);
      told();
      auto procs = fleet.allocate({.extent = {{"x", 8}}});
      Controller::wait_to_be_killed();
    });
    controller.kill(std::chrono::milliseconds(later_ms));
    expect_nobody_left(stage);
  }
}

void killed_while_stopping(Stage& stage) {
  for (const int later_ms : {0, 2, 10}) {
    Controller controller(stage, [](Stage& its, const Controller::Told& told) {
      Fleet fleet(its);
      auto procs = fleet.allocate({.extent = {{"x", 8}}});
      procs.await_running();
      procs.alloc().stop();
      told();
      Controller::wait_to_be_killed();
    });
    controller.kill(std::chrono::milliseconds(later_ms));
    expect_nobody_left(stage);
  }
}

void killed_with_a_mesh(Stage& stage) {
  Controller controller(stage, [](Stage& its, const Controller::Told& told) {
    Fleet fleet(its);
    HostMesh hosts = fleet.host_mesh({.extent = {{"hosts", 2}}});
    const ProcMesh procs = daemons(fleet, hosts);
    told();
    Controller::wait_to_be_killed();
  });
  controller.kill();
  expect_nobody_left(stage);
}

void host_killed(Stage& stage) {
  Fleet fleet(stage);
  auto procs = fleet.allocate({.extent = {{"x", 3}}});
  procs.await_running();
  const ProcCreated victim = procs.of<ProcCreated>().front();

  ::kill(static_cast<pid_t>(victim.pid), SIGKILL);

  const auto state = procs.next();
  const auto* stopped = state ? std::get_if<ProcStopped>(&*state) : nullptr;
  stage.expect(stopped != nullptr && stopped->rank == victim.rank,
               "the rank whose process was killed is Stopped", state ? text_of(*state) : "the stream ended");
  stage.equal("the signal that it died of", stopped->reason.signal, SIGKILL);
  procs.alloc().stop();
  procs.await_end();
  expect_complete(stage, procs.states());
}

void destroyed_while_launching(Stage& stage) {
  for (int i = 0; i < 10; ++i) {
    Probe probe(stage);
    for (int k = 0; k < 8; ++k) probe.launch(stage.payload({"ignore-term"}));
    probe.destroy();
  }
  // That nobody is left is looked at after every case.
}

void group_of_ended(Stage& stage) {
  Probe probe(stage);
  probe.await_end(probe.launch(stage.payload({"grandchild"})));
  // That nobody is left is looked at after every case.
}

}  // namespace

const std::vector<Case>& orphans_cases() {
  const Needs counted = needs::kProcesses | needs::kSameMachine;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "orphans.killed-while-launching",
       .sentence = "When the host's process is killed while it launches, no launch outlives it.",
       .needs = counted | needs::kLifeline,
       .deadline = std::chrono::seconds(20),
       .rule = kLifeline,
       .run = killed_while_launching,
       .builds_on = base},
      {.id = "orphans.killed-while-running",
       .sentence = "When the host's process is killed, the stdin of its launches ends, and so do they.",
       .needs = counted | needs::kLifeline | needs::kOutput,
       .rule = kLifeline,
       .run = killed_while_running,
       .builds_on = base},
      {.id = "orphans.killed-while-allocating",
       .sentence = "When a client is killed while its procs come up, none outlives it.",
       .needs = counted | needs::kLifeline,
       .deadline = std::chrono::seconds(20),
       .rule = kLifeline,
       .run = killed_while_allocating,
       .builds_on = base},
      {.id = "orphans.killed-while-stopping",
       .sentence = "When a client is killed while its procs stop, none outlives it.",
       .needs = counted | needs::kLifeline,
       .deadline = std::chrono::seconds(20),
       .rule = kLifeline,
       .run = killed_while_stopping,
       .builds_on = base},
      {.id = "orphans.killed-with-a-mesh",
       .sentence =
           "When a client is killed, neither its hosts nor their procs outlive it, nor what those have "
           "sent away into sessions of their own.",
       // One that kills its launches with the host gives them no time to clean up below them.
       .level = Level::kShould,
       .needs = counted | needs::kLifeline,
       .deadline = std::chrono::seconds(20),
       .rule = kLifeline,
       .run = killed_with_a_mesh,
       .builds_on = base},
      {.id = "orphans.proc-killed",
       .sentence = "A proc that is killed from outside is Stopped by that signal; the others live on.",
       .needs = counted | needs::kExitStatus,
       .rule = "proc_state.hpp",
       .run = host_killed,
       .builds_on = base},
      {.id = "orphans.destroyed-while-launching",
       .sentence = "What is being launched when its instance is destroyed does not outlive it.",
       .needs = counted,
       .deadline = std::chrono::seconds(20),
       .rule = "abi.h, destroy",
       .run = destroyed_while_launching,
       .builds_on = base},
      {.id = "orphans.group-of-ended",
       .sentence = "What is left of a launch's process group when it ends is killed.",
       .level = Level::kShould,
       .needs = counted,
       .rule = "abi.h, HOSTMESH_CAPABILITY_SIGNAL",
       .run = group_of_ended,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
