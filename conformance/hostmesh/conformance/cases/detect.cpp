// Group detect: what has gone wrong is noticed, in its time, and said as it was.
#include <csignal>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "hostmesh/conformance/probe.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kTiming = "spec.hpp, ChildTiming";

ChildTiming usual_timing() {
  return ChildTiming::from(Config(nullptr));
}

// The ends of both ranks of an allocation whose children misbehave.
std::vector<ProcStopped> ends_of(Stage& stage, const std::string& misdeed, const ChildTiming& timing) {
  Fleet fleet(stage);
  auto procs = fleet.allocate({.extent = {{"x", 2}}, .timing = timing}, fleet.child({"child", misdeed}));
  procs.await_end();
  expect_complete(stage, procs.states());
  auto stopped = procs.of<ProcStopped>();
  stage.equal("the number of procs that are Stopped", stopped.size(), 2U);
  return stopped;
}

void expect_watchdog(Stage& stage, const std::vector<ProcStopped>& stopped) {
  for (const ProcStopped& each : stopped) {
    stage.equal("the kind of reason of rank " + std::to_string(each.rank), StopReason::name(each.reason.kind),
                StopReason::name(StopReason::Kind::kWatchdog));
  }
}

void exit_latency(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(stage.payload({"wait"}));

  const TimePoint start = Clock::now();
  ::kill(static_cast<pid_t>(probe.await_launched(launch).pid), SIGKILL);
  const Seen seen = probe.await_end(launch);

  const Duration took = Clock::now() - start;
  stage.expect(took <= stage.scaled(std::chrono::seconds(1)), "the end is reported within a second",
               hostmesh::to_string(took) + " later");
  stage.expect(seen.status.is_signal(SIGKILL), "a launch that was killed is said to have been", seen.text());
}

void no_core(Stage& stage) {
  Probe probe(stage);
  const Seen seen = probe.await_end(probe.launch(stage.payload({"signal", std::to_string(SIGSEGV)})));
  stage.expect(seen.status.is_signal(SIGSEGV), "it died of SEGV", seen.text());
  stage.expect(!seen.status.core_dumped, "no core was dumped", seen.text());
}

void frozen(Stage& stage) {
  ChildTiming timing = usual_timing();
  timing.heartbeat = stage.scaled(std::chrono::milliseconds(500));
  timing.exit = timing.kill = stage.scaled(std::chrono::milliseconds(300));
  expect_watchdog(stage, ends_of(stage, "freezes", timing));
}

void silent(Stage& stage) {
  ChildTiming timing = usual_timing();
  timing.hello = timing.exit = timing.kill = stage.scaled(std::chrono::milliseconds(300));
  expect_watchdog(stage, ends_of(stage, "hangs", timing));
}

void deaf(Stage& stage) {
  ChildTiming timing = usual_timing();
  timing.hello = timing.exit = timing.kill = stage.scaled(std::chrono::milliseconds(300));
  expect_watchdog(stage, ends_of(stage, "ignores_term", timing));
}

void dies_after_hello(Stage& stage) {
  for (const ProcStopped& each : ends_of(stage, "dies_after_hello", usual_timing())) {
    stage.equal("the exit code of rank " + std::to_string(each.rank), each.reason.code, 7);
  }
}

// Its process does nothing for a while, shorter than it may.
void patient(Stage& stage) {
  ChildTiming timing = usual_timing();
  timing.heartbeat = stage.scaled(std::chrono::seconds(3));
  Fleet fleet(stage);
  auto procs = fleet.allocate({.extent = {{"x", 1}}, .timing = timing});
  procs.await_running();
  const auto pid = static_cast<pid_t>(procs.of<ProcCreated>().front().pid);

  ::kill(pid, SIGSTOP);
  const auto during = procs.alloc().next(stage.within(std::chrono::milliseconds(700)));
  ::kill(pid, SIGCONT);
  const auto after = procs.alloc().next(stage.within(std::chrono::milliseconds(700)));

  stage.expect(!during && !after, "a proc that is quiet for less than it may lives on",
               "its stream said something");
  procs.alloc().stop();
  procs.await_end();
}

}  // namespace

const std::vector<Case>& detect_cases() {
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "detect.exit-latency",
       .sentence = "The end of a launch is reported when it happens.",
       .needs = needs::kProcesses | needs::kSameMachine | needs::kOutput | needs::kExitStatus,
       .rule = "abi.h, exited",
       .run = exit_latency,
       .builds_on = base},
      {.id = "detect.no-core",
       .sentence = "A core dump is reported only where there is one.",
       .needs = needs::kProcesses | needs::kExitStatus,
       .rule = "abi.h, hostmesh_exit::core_dumped",
       .run = no_core,
       .builds_on = base},
      {.id = "detect.frozen",
       .sentence = "A child that freezes is found out by its silence, and ended.",
       .needs = needs::kProcesses | needs::kSignal,
       .rule = kTiming,
       .run = frozen,
       .builds_on = base},
      {.id = "detect.silent",
       .sentence = "A child that never says Hello is ended when its time is over.",
       .needs = needs::kProcesses | needs::kSignal,
       .rule = kTiming,
       .run = silent,
       .builds_on = base},
      {.id = "detect.deaf",
       .sentence = "A child that never says Hello and ignores TERM is ended all the same.",
       .needs = needs::kProcesses | needs::kSignal,
       .rule = kTiming,
       .run = deaf,
       .builds_on = base},
      {.id = "detect.dies-after-hello",
       .sentence = "A child that dies between Hello and running is Stopped with its exit code.",
       .needs = needs::kProcesses | needs::kExitStatus,
       .rule = "proc_state.hpp",
       .run = dies_after_hello,
       .builds_on = base},
      {.id = "detect.patient",
       .sentence = "A child that is quiet for less than it may is left alone.",
       .needs = needs::kProcesses | needs::kSameMachine,
       .rule = kTiming,
       .run = patient,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
