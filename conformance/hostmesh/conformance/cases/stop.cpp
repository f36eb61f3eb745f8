// Group stop: signals, the lifeline, and destroy.
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/own_pids.hpp"
#include "hostmesh/conformance/probe.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kSignal = "abi.h, signal";
constexpr int kRepeats = 10;

void term(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(stage.payload({"exit-on-term", "9"}));

  probe.signal(launch, SIGTERM);

  stage.equal("the end of a payload that exits with 9 on TERM", probe.await_end(launch).status,
              ExitStatus::exited(9));
}

void kill(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(stage.payload({"ignore-term"}));

  probe.signal(launch, SIGTERM);
  probe.signal(launch, SIGKILL);

  const Seen seen = probe.await_end(launch);
  stage.expect(seen.status.is_signal(SIGKILL), "KILL ends a payload that ignores TERM", seen.text());
}

void only_its_launch(Stage& stage) {
  Probe probe(stage);
  const LaunchId first = probe.launch_ready(stage.payload({"exit-on-term", "1"}));
  const LaunchId second = probe.launch_ready(stage.payload({"exit-on-term", "2"}));
  const LaunchId third = probe.launch_ready(stage.payload({"exit-on-term", "3"}));

  probe.signal(second, SIGTERM);

  probe.await_end(second);
  for (const LaunchId other : {first, third}) {
    stage.expect(!probe.seen(other).ended, "a signal to one launch leaves the others alone",
                 "launch " + std::to_string(other) + " " + probe.seen(other).text());
    probe.signal(other, SIGTERM);
    stage.equal("the end of launch " + std::to_string(other), probe.await_end(other).status,
                ExitStatus::exited(static_cast<int>(other)));
  }
}

// True when the plugin says nothing of the launch itself, because it has the host run it.
bool host_runs(Probe& probe, LaunchId launch) {
  const auto reports = probe.record().reports_of(launch);
  return std::any_of(reports.begin(), reports.end(),
                     [](const RawReport& each) { return each.call == "spawn_local"; });
}

// On the host's thread: until the plugin has reported the end, which the host does not take notice of.
void await_reported_end(Stage& stage, Probe& probe, LaunchId launch) {
  probe.record().wait_reports(stage.deadline(), [&](const std::vector<RawReport>& reports) {
    return std::any_of(reports.begin(), reports.end(), [&](const RawReport& each) {
      return each.id == launch && (each.call == "exited" || each.call == "failed");
    });
  });
}

// The host passes on no signal for a launch of which it knows that it has ended. So it is kept from knowing.
void signal_after_end(Stage& stage) {
  Probe probe(stage);
  const LaunchId bystander = probe.launch_ready(stage.payload({"exit-on-term", "5"}));
  const LaunchId ended = probe.launch_ready(stage.payload({"until-stdin-ends", "0"}));

  const auto signals = [&] {
    for (int i = 0; i < kRepeats; ++i) {
      probe.signal(ended, SIGTERM);
      probe.signal(ended, SIGKILL);
    }
    probe.close_stdin(ended);
  };
  probe.on_host_thread([&] {
    probe.close_stdin(ended);
    if (host_runs(probe, ended)) return;
    await_reported_end(stage, probe, ended);
    signals();
  });
  probe.await_end(ended);
  signals();

  probe.signal(bystander, SIGTERM);
  stage.equal("the end of a launch beside the one that had ended", probe.await_end(bystander).status,
              ExitStatus::exited(5));
  for (const HostCallSeen& call : probe.record().calls()) {
    stage.expect(call.exception.empty(), "a signal to a launch that has ended does nothing", call.exception);
  }
}

// On the host's thread, after the end of `ended`: another launch, in the hope that it gets the same pid.
std::optional<LaunchId> launch_with_pid(Stage& stage, Probe& probe, std::int64_t pid) {
  if (!choose_next_pid(pid)) return std::nullopt;
  const LaunchId launch = probe.launch(stage.payload({"exit-on-term", "5"}));
  std::int64_t got = 0;
  probe.record().wait_reports(stage.deadline(), [&](const std::vector<RawReport>& reports) {
    const auto found = std::find_if(reports.begin(), reports.end(), [&](const RawReport& each) {
      return each.id == launch && (each.call == "launched" || each.call == "failed");
    });
    if (found != reports.end()) got = found->number;
    return found != reports.end();
  });
  return got == pid ? std::optional(launch) : std::nullopt;
}

// In a pid name space of its own, where the next pid can be chosen.
void signal_after_reuse(Stage& stage) {
  in_own_pids(stage, [](Stage& its) {
    constexpr int kTries = 20;  // a thread that is started meanwhile takes a pid, too
    Probe probe(its);
    for (int i = 0; i < kTries; ++i) {
      const LaunchId ended = probe.launch_ready(its.payload({"until-stdin-ends", "0"}));
      if (host_runs(probe, ended)) its.skip("the host runs its launches");
      const std::int64_t pid = probe.await_launched(ended).pid;
      std::optional<LaunchId> bystander;
      probe.on_host_thread([&] {
        probe.close_stdin(ended);
        await_reported_end(its, probe, ended);
        bystander = launch_with_pid(its, probe, pid);
        if (!bystander) return;
        for (int k = 0; k < kRepeats; ++k) probe.signal(ended, SIGUSR2);
      });
      if (!bystander) continue;
      its.note("launch " + std::to_string(*bystander) + " has the pid that launch " + std::to_string(ended) +
               " had");
      probe.await(
          *bystander, "lives, as the signals were for the launch that had its pid before",
          [](const Seen& seen) { return seen.ended || seen.out.find("ready ") != std::string::npos; });
      probe.signal(*bystander, SIGTERM);
      return its.equal("the end of the launch that has the pid now", probe.await_end(*bystander).status,
                       ExitStatus::exited(5));
    }
    its.skip("no launch got a pid that had been another's");
  });
}

// The launch, and a process that it has forked and that says the same.
void group(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch(stage.payload({"tell-signals", "together"}));
  const auto twice = [](std::string_view word) {
    return [word](const Seen& seen) {
      const std::size_t once = seen.out.find(word);
      return once != std::string::npos && seen.out.find(word, once + 1) != std::string::npos;
    };
  };
  probe.await(launch, "and its child say that they are ready", twice("ready "));

  probe.signal(launch, SIGUSR1);

  probe.await(launch, "and its child say that they got USR1", twice("got "));
  probe.signal(launch, SIGKILL);
  const Seen seen = probe.await_end(launch);
  stage.expect(seen.status.is_signal(SIGKILL), "KILL ends the launch", seen.text());
}

// One signal each, sent before anybody can have been told that the launches exist; so many at once that some
// of them wait for their turn when it comes.
void during_launch(Stage& stage) {
  constexpr int kLaunches = 32;
  Probe probe(stage);
  std::vector<LaunchId> launches;
  for (int i = 0; i < kLaunches; ++i) {
    launches.push_back(probe.launch(stage.payload({"wait"})));
    probe.signal(launches.back(), i % 2 == 0 ? SIGKILL : SIGTERM);
  }
  for (const LaunchId launch : launches) probe.await_end(launch);
}

void lifeline_ends(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(stage.payload({"until-stdin-ends", "6"}));
  const bool early = probe.record().wait_seen(launch, stage.within(std::chrono::milliseconds(200)),
                                              [](const Seen& seen) { return seen.ended; });
  stage.expect(!early, "stdin stays open until close_stdin", probe.seen(launch).text());

  for (int i = 0; i < kRepeats; ++i) probe.close_stdin(launch);

  stage.equal("the end of a payload that exits with 6 when its stdin ends", probe.await_end(launch).status,
              ExitStatus::exited(6));
  for (int i = 0; i < kRepeats; ++i) probe.close_stdin(launch);
}

// Asked of the kernel when nothing can be on its way any more.
void no_zombie(Stage& stage) {
  Probe probe(stage);
  for (const char* scenario : {"0", "7"}) probe.await_end(probe.launch(stage.payload({"exit", scenario})));
  const std::vector<std::int64_t> pids = {probe.seen(1).pid, probe.seen(2).pid};

  probe.destroy();

  for (const std::int64_t pid : pids) {
    siginfo_t info{};
    const int there = ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT);
    stage.expect(there != 0, "a launch that has ended leaves no zombie",
                 "pid " + std::to_string(pid) + " is one");
  }
}

void destroy_kills(Stage& stage) {
  Probe probe(stage);
  for (int i = 0; i < 4; ++i) probe.launch_ready(stage.payload({"ignore-term"}));

  probe.destroy();
  // That nobody is left is looked at after every case.
}

void destroy_returns(Stage& stage) {
  Probe probe(stage);
  for (int i = 0; i < 4; ++i) probe.launch_ready(stage.payload({"ignore-term"}));

  probe.destroy();

  const HostCallSeen call = probe.record().calls().back();
  constexpr Duration kAtOnce = std::chrono::milliseconds(500);
  stage.expect(call.took && *call.took <= stage.scaled(kAtOnce), "destroy returns at once",
               "it took " + (call.took ? hostmesh::to_string(*call.took) : "for ever"));
}

void frozen(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(stage.payload({"freeze"}));

  probe.signal(launch, SIGTERM);
  probe.signal(launch, SIGKILL);

  const Seen seen = probe.await_end(launch);
  stage.expect(seen.status.is_signal(SIGKILL) || seen.status.is_signal(SIGTERM),
               "KILL ends a launch that is stopped", seen.text());
}

void repeated(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch_ready(stage.payload({"tell-signals"}));
  const std::string line = "got " + std::to_string(SIGUSR1) + "\n";

  std::string wanted;
  for (int i = 0; i < kRepeats; ++i) {
    probe.signal(launch, SIGUSR1);
    wanted += line;
    probe.await_output(launch, wanted);
  }

  for (int i = 0; i < kRepeats; ++i) probe.signal(launch, SIGKILL);
  probe.await_end(launch);
}

void destroy_again_and_again(Stage& stage) {
  for (int i = 0; i < kRepeats; ++i) {
    Probe probe(stage);
    probe.launch_ready(stage.payload({"ignore-term"}));
    probe.destroy();
  }
  // That nobody is left is looked at after every case.
}

// The launch itself ignores it, so that it is not its end that ends the other.
void signal_reaches_who_was_started(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch(stage.payload({"grandchild", "deaf"}));
  const Seen seen = probe.await_output(launch, "\n");
  const auto grandchild =
      static_cast<pid_t>(std::atoi(seen.out.c_str() + std::string_view("grandchild ").size()));
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, grandchild, 0)));
  stage.expect(static_cast<bool>(pidfd), "the process that it started lives", seen.out);

  probe.signal(launch, SIGTERM);

  pollfd ended{.fd = pidfd.get(), .events = POLLIN, .revents = 0};
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(stage.within(std::chrono::seconds(3)).remaining());
  int got = 0;
  do {
    got = ::poll(&ended, 1, static_cast<int>(left.count()));
  } while (got < 0 && errno == EINTR);
  stage.expect(got == 1, "TERM ends the process that the launch has started, too", "it lives");
  stage.expect(!probe.seen(launch).ended, "the launch itself ignores it", probe.seen(launch).text());
}

}  // namespace

const std::vector<Case>& stop_cases() {
  const Needs signals = needs::kProcesses | needs::kSignal | needs::kOutput;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "stop.term",
       .sentence = "TERM reaches the launch, which may end as it likes.",
       .needs = signals | needs::kExitStatus,
       .rule = kSignal,
       .run = term,
       .builds_on = base},
      {.id = "stop.kill",
       .sentence = "KILL ends a launch that ignores TERM.",
       .needs = signals | needs::kExitStatus,
       .rule = kSignal,
       .run = kill,
       .builds_on = base},
      {.id = "stop.only-its-launch",
       .sentence = "A signal reaches the launch that it is for, and no other.",
       .needs = signals | needs::kExitStatus,
       .rule = kSignal,
       .run = only_its_launch,
       .builds_on = base},
      {.id = "stop.signal-after-end",
       .sentence = "A signal to a launch that has ended does nothing, however often.",
       .needs = signals | needs::kExitStatus | needs::kLifeline,
       .rule = kSignal,
       .run = signal_after_end,
       .builds_on = base},
      {.id = "stop.signal-after-reuse",
       .sentence = "A signal to a launch that has ended does not reach the process that has its pid now.",
       .needs = signals | needs::kExitStatus | needs::kLifeline | needs::kSameMachine,
       .rule = kSignal,
       .run = signal_after_reuse,
       .builds_on = base},
      {.id = "stop.group",
       .sentence = "A signal reaches the whole process group of the launch.",
       .needs = signals | needs::kExitStatus,
       .rule = "abi.h, HOSTMESH_CAPABILITY_SIGNAL",
       .run = group,
       .builds_on = base},
      {.id = "stop.group-term",
       .sentence = "TERM, too, reaches what a launch has started in its process group.",
       .needs = signals | needs::kSameMachine,
       .rule = "abi.h, HOSTMESH_CAPABILITY_SIGNAL",
       .run = signal_reaches_who_was_started,
       .builds_on = base},
      {.id = "stop.frozen",
       .sentence = "KILL ends a launch that is stopped.",
       .needs = signals | needs::kExitStatus,
       .rule = kSignal,
       .run = frozen,
       .builds_on = base},
      {.id = "stop.repeated",
       .sentence = "A signal that is sent ten times arrives ten times.",
       .needs = signals,
       .rule = kSignal,
       .run = repeated,
       .builds_on = base},
      {.id = "stop.during-launch",
       .sentence = "A launch that gets TERM or KILL before it is reported as launched comes to its end by "
                   "that alone.",
       .needs = signals,
       .rule = kSignal,
       .run = during_launch,
       .builds_on = base},
      {.id = "stop.lifeline-ends",
       .sentence =
           "A lifeline stays open until close_stdin, which ends it; nothing happens when that is repeated.",
       .needs = needs::kProcesses | needs::kLifeline | needs::kOutput | needs::kExitStatus,
       .rule = "abi.h, close_stdin",
       .run = lifeline_ends,
       .builds_on = base},
      {.id = "stop.no-zombie",
       .sentence = "A launch that has ended leaves no zombie behind.",
       .needs = needs::kProcesses | needs::kSameMachine,
       .rule = "abi.h, destroy",
       .run = no_zombie,
       .builds_on = base},
      {.id = "stop.destroy-kills",
       .sentence = "destroy kills what still runs.",
       .needs = needs::kProcesses | needs::kOutput,
       .rule = "abi.h, destroy",
       .run = destroy_kills,
       .builds_on = base},
      {.id = "stop.destroy-repeated",
       .sentence = "destroy kills what still runs, every time.",
       .needs = needs::kProcesses | needs::kOutput,
       .rule = "abi.h, destroy",
       .run = destroy_again_and_again,
       .builds_on = base},
      {.id = "stop.destroy-returns",
       .sentence = "destroy returns at once, whatever still runs.",
       .needs = needs::kProcesses | needs::kOutput,
       .rule = "abi.h, destroy",
       .run = destroy_returns,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
