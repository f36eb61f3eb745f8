// Group detect: what has gone wrong is noticed, in its time, and said as it was.
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/fleet.hpp"
#include "hostmesh/conformance/folder.hpp"
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

// Blocks until that process has ended, as the kernel says it.
void await_death(Stage& stage, const UniqueFd& pidfd) {
  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  int got = 0;
  do {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(stage.deadline().remaining());
    got = ::poll(&ended, 1, static_cast<int>(left.count()));
  } while (got < 0 && errno == EINTR);
  stage.expect(got == 1, "a process that is killed ends", "it has not, when the time of the case was over");
}

// This thread, too, is told of each end by the kernel, so that it begins to count when any other could have
// known. One that comes late may have met a busy machine, so the quickest counts.
void exit_latency(Stage& stage) {
  constexpr int kLaunches = 5;
  constexpr Duration kUsual = std::chrono::milliseconds(100);
  constexpr Duration kOnce = std::chrono::seconds(1);
  Probe probe(stage);
  Duration quickest = Duration::max();
  for (int i = 0; i < kLaunches; ++i) {
    const LaunchId launch = probe.launch_ready(stage.payload({"wait"}));
    const auto pid = static_cast<pid_t>(probe.await_launched(launch).pid);
    const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
    stage.expect(static_cast<bool>(pidfd), "there is a process with the pid that is reported",
                 "pid " + std::to_string(pid) + ": " + std::strerror(errno));

    ::kill(pid, SIGKILL);
    await_death(stage, pidfd);
    const TimePoint start = Clock::now();
    const Seen seen = probe.await_end(launch);

    const Duration took = Clock::now() - start;
    stage.expect(took <= stage.scaled(kOnce), "the end is reported within a second",
                 hostmesh::to_string(took) + " later");
    stage.expect(seen.status.is_signal(SIGKILL), "a launch that was killed is said to have been",
                 seen.text());
    quickest = std::min(quickest, took);
  }
  stage.expect(
      quickest <= stage.scaled(kUsual), "the end is reported within 100ms",
      "the quickest of " + std::to_string(kLaunches) + " came " + hostmesh::to_string(quickest) + " later");
}

void no_core(Stage& stage) {
  Probe probe(stage);
  const Seen seen = probe.await_end(probe.launch(stage.payload({"signal", std::to_string(SIGSEGV)})));
  stage.expect(seen.status.is_signal(SIGSEGV), "it died of SEGV", seen.text());
  stage.expect(!seen.status.core_dumped, "no core was dumped", seen.text());
}

// What the kernel says of one that this process has started itself, in the same folder, is the truth.
bool dumps_core(const LaunchRequest& request) {
  const std::string program = request.argv.front();
  const std::string scenario = request.environment.back();
  const pid_t pid = ::fork();
  if (pid < 0) throw os_error(Cause::kSpawnFailed, "make a process", errno);
  if (pid == 0) {
    std::string word = program;
    std::string variable = scenario;
    char* const argv[] = {word.data(), nullptr};
    char* const environment[] = {variable.data(), nullptr};
    if (::chdir(request.working_directory.c_str()) == 0) ::execve(program.c_str(), argv, environment);
    ::_exit(127);
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WCOREDUMP(status);
}

void core(Stage& stage) {
  const Folder folder;
  LaunchRequest request = stage.payload({"signal", std::to_string(SIGQUIT), "core"});
  request.working_directory = folder.path().string();
  if (!dumps_core(request)) stage.skip("no process dumps core here: see ulimit -Hc and core(5)");
  Probe probe(stage);
  const Seen seen = probe.await_end(probe.launch(std::move(request)));
  stage.expect(seen.status.is_signal(SIGQUIT), "it died of QUIT", seen.text());
  stage.expect(seen.status.core_dumped, "the core that was dumped is reported", seen.text());
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
       .sentence = "The end of a launch is reported when it happens, within 100 ms.",
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
      {.id = "detect.core",
       .sentence = "A core dump is reported where there is one.",
       .needs = needs::kProcesses | needs::kExitStatus | needs::kSameMachine,
       .rule = "abi.h, hostmesh_exit::core_dumped",
       .run = core,
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
