// Group launch: what a launch is handed, and what is said of how it ended.
#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/cases/described.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kLaunch = "abi.h, hostmesh_launch";
constexpr std::string_view kExit = "abi.h, HOSTMESH_CAPABILITY_EXIT_STATUS";

void exit_code(Stage& stage) {
  for (const int code : {0, 1, 7, 127, 255}) {
    Probe probe(stage);
    const LaunchId launch = probe.launch(stage.payload({"exit", std::to_string(code)}));
    stage.equal("the end of a payload that exits with " + std::to_string(code),
                probe.await_end(launch).status, ExitStatus::exited(code));
  }
}

void exit_signal(Stage& stage) {
  for (const int number : {SIGKILL, SIGTERM, SIGSEGV, SIGUSR1}) {
    Probe probe(stage);
    const LaunchId launch = probe.launch(stage.payload({"signal", std::to_string(number)}));
    const Seen seen = probe.await_end(launch);
    stage.expect(seen.status.is_signal(number),
                 "a payload that dies of signal " + signal_name(number) + " is said to", seen.text());
  }
}

void argv_verbatim(Stage& stage) {
  const std::vector<std::string> words = {"",
                                          " two  spaces ",
                                          "$HOME",
                                          "`id`",
                                          "$(id)",
                                          "quote\"s'",
                                          "a\nb",
                                          "back\\slash",
                                          "*",
                                          "~",
                                          "-flag",
                                          "--",
                                          "caf\xC3\xA9",
                                          "\xFF\xFE",
                                          "tab\there",
                                          "a;b&c|d",
                                          "#",
                                          "!history"};
  LaunchRequest request = stage.payload({"describe"});
  request.argv.insert(request.argv.end(), words.begin(), words.end());
  std::vector<std::string> wanted = request.argv;
  Probe probe(stage);

  const Described got = describe(stage, probe, std::move(request));

  stage.equal("the number of words of the command line", got.argv.size(), wanted.size());
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    stage.equal("word " + std::to_string(i) + " of the command line", got.argv[i], wanted[i]);
  }
}

// One word may have 128 KiB at most on Linux, its last zero included, and all of them a quarter of the stack.
void argv_long(Stage& stage) {
  LaunchRequest request = stage.payload({"describe"});
  for (const std::size_t size : {1'000, 1'024, 4'096, 65'536, 100'000}) {
    request.argv.emplace_back(std::string(size, 'w') + std::to_string(size));
  }
  for (int i = 0; i < 5'000; ++i) request.argv.push_back("word-" + std::to_string(i));
  const std::vector<std::string> wanted = request.argv;
  Probe probe(stage);

  const Described got = describe(stage, probe, std::move(request));

  stage.equal("the number of words of the command line", got.argv.size(), wanted.size());
  for (std::size_t i = 1; i < wanted.size(); ++i) {
    stage.equal("the length of word " + std::to_string(i), got.argv[i].size(), wanted[i].size());
    stage.equal("word " + std::to_string(i), got.argv[i], wanted[i]);
  }
}

// Found in PATH or given with its path: it stays what it was.
void argv_zero(Stage& stage) {
  LaunchRequest with_path = stage.payload({"describe"});
  LaunchRequest in_path = with_path;
  const std::filesystem::path program = with_path.argv.front();
  in_path.argv.front() = program.filename().string();
  in_path.environment.front() = "PATH=/nonexistent:" + program.parent_path().string() + ":/usr/bin:/bin";
  for (const LaunchRequest& request : {with_path, in_path}) {
    Probe probe(stage);
    const Described got = describe(stage, probe, request);
    stage.expect(!got.argv.empty(), "the command line has a first word", "it is empty");
    stage.equal("the first word of the command line", got.argv.front(), request.argv.front());
  }
}

void environment_verbatim(Stage& stage) {
  const std::vector<std::string> entries = {
      "CONFORMANCE_EQUALS=a=b=c",     "CONFORMANCE_QUOTES=\"it's\"",
      "CONFORMANCE_LINES=one\ntwo\n", "CONFORMANCE_EMPTY=",
      "CONFORMANCE_SPACES=  a  b  ",  "CONFORMANCE_DOLLAR=$HOME `id` $(id)",
      "CONFORMANCE_BYTES=\xFF\xC3",   "BASH_FUNC_conformance%%=() {  echo hi\n}",
      "conformance.dotted=1"};
  LaunchRequest request = stage.payload({"describe"});
  request.environment.insert(request.environment.end(), entries.begin(), entries.end());
  Probe probe(stage);

  const Described got = describe(stage, probe, std::move(request));

  for (const std::string& entry : entries) {
    const std::string name = entry.substr(0, entry.find('='));
    const auto found = std::find_if(
        got.environment.begin(), got.environment.end(),
        [&](const std::string& each) { return each.compare(0, name.size() + 1, name + "=") == 0; });
    stage.equal("the environment's " + name, found == got.environment.end() ? "(not there)" : *found, entry);
  }
}

LaunchRequest with_many_variables(Stage& stage) {
  LaunchRequest request = stage.payload({"describe"});
  for (int i = 0; i < 50; ++i) {
    request.environment.push_back("CONFORMANCE_" + std::to_string(i * 7919 % 50) + "=" + std::to_string(i));
  }
  return request;
}

void environment_complete(Stage& stage) {
  const LaunchRequest request = with_many_variables(stage);
  Probe probe(stage);

  Described got = describe(stage, probe, request);

  // Each that was asked for is there once.
  for (const std::string& entry : request.environment) {
    const auto found = std::find(got.environment.begin(), got.environment.end(), entry);
    if (found != got.environment.end()) got.environment.erase(found);
  }
  stage.expect(got.environment.empty(), "the environment is what was asked for and nothing more",
               got.environment.empty() ? "" : got.environment.front());
}

void environment_order(Stage& stage) {
  const LaunchRequest request = with_many_variables(stage);
  Probe probe(stage);

  const Described got = describe(stage, probe, request);

  // Of what is there twice the first one counts, and what was not asked for does not.
  auto at = got.environment.begin();
  for (const std::string& entry : request.environment) {
    const auto found = std::find(got.environment.begin(), got.environment.end(), entry);
    if (found == got.environment.end()) continue;
    stage.expect(found >= at, "the variables are in the order in which they were given",
                 entry + " comes before one that was given before it");
    at = found;
  }
}

void where(Stage& stage) {
  Probe probe(stage);
  const LaunchId launch = probe.launch(stage.payload({"exit", "0"}));
  const Seen seen = probe.await_launched(launch);
  stage.expect(!seen.node.empty(), "the name of the machine is told", "it is empty");
  probe.await_end(launch);
}

// A call that blocks does so each time, or at least once for long. What is quick now and then is not blocked
// but unlucky, so of the calls of one kind the quickest counts; and of its time only what is its own.
void returns(Stage& stage) {
  constexpr Duration kUsual = std::chrono::milliseconds(10);
  constexpr Duration kOnce = std::chrono::milliseconds(500);
  std::map<std::string, Duration> quickest;
  const auto judge = [&](Probe& probe) {
    for (const HostCallSeen& call : probe.record().calls()) {
      if (call.call == "destroy") continue;  // stop.destroy-returns
      stage.expect(call.took && *call.took <= stage.scaled(kOnce), call.call + " returns at once",
                   "it took " + (call.took ? hostmesh::to_string(*call.took) : "for ever"));
      const auto [known, is_new] = quickest.emplace(call.call, *call.own);
      if (!is_new) known->second = std::min(known->second, *call.own);
    }
  };
  for (int i = 0; i < 3; ++i) {
    Probe probe(stage);
    for (int k = 0; k < 3; ++k) {
      const LaunchId launch = probe.launch(stage.payload({"wait"}));
      probe.await_launched(launch);
      probe.pause_output(launch);
      probe.resume_output(launch);
      probe.close_stdin(launch);
      if (stage.plugin().can(Capability::kSignal)) probe.signal(launch, SIGKILL);
    }
    judge(probe);
  }
  for (const auto& [call, took] : quickest) {
    stage.expect(took <= stage.scaled(kUsual), call + " returns within 10ms, without waiting for anything",
                 "the quickest of several took " + hostmesh::to_string(took) + " of its own");
  }
}

}  // namespace

const std::vector<Case>& launch_cases() {
  const Needs described = needs::kProcesses | needs::kOutput;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "launch.exit-code",
       .sentence = "A launch that exits is reported with its exit code.",
       .needs = needs::kProcesses | needs::kExitStatus,
       .rule = kExit,
       .run = exit_code,
       .builds_on = base},
      {.id = "launch.exit-signal",
       .sentence = "A launch that dies of a signal is reported with that signal.",
       .needs = needs::kProcesses | needs::kExitStatus,
       .rule = kExit,
       .run = exit_signal,
       .builds_on = base},
      {.id = "launch.argv-verbatim",
       .sentence =
           "The command line arrives word for word: empty words, spaces, quotes, newlines, shell characters, "
           "bytes that are no text.",
       .needs = described,
       .rule = kLaunch,
       .run = argv_verbatim,
       .builds_on = base},
      {.id = "launch.argv-long",
       .sentence = "A command line of thousands of words arrives, and words of up to 100 KB, without loss.",
       .needs = described,
       .rule = kLaunch,
       .run = argv_long,
       .builds_on = base},
      {.id = "launch.argv-zero",
       .sentence = "The first word of the command line arrives as it was given, whatever file it stands for.",
       .needs = described | needs::kSameMachine,
       .rule = "abi.h, hostmesh_launch::argv",
       .run = argv_zero,
       .builds_on = base},
      {.id = "launch.environment-verbatim",
       .sentence = "The environment arrives as it was given: values with =, quotes, newlines, none at all.",
       .needs = described,
       .rule = kLaunch,
       .run = environment_verbatim,
       .builds_on = base},
      {.id = "launch.environment-complete",
       .sentence = "Nothing is added to the environment that was given, and nothing in it is doubled.",
       .needs = described | needs::kSameMachine,
       .rule = "abi.h, hostmesh_launch::environment",
       .run = environment_complete,
       .builds_on = base},
      {.id = "launch.environment-order",
       .sentence = "The environment is in the order in which it was given.",
       .level = Level::kShould,
       .needs = described | needs::kSameMachine,
       .rule = "abi.h, hostmesh_launch::environment",
       .run = environment_order,
       .builds_on = base},
      {.id = "launch.where",
       .sentence = "A launch is reported with the name of the machine that it is on.",
       .needs = needs::kProcesses,
       .rule = "abi.h, launched",
       .run = where,
       .builds_on = base},
      {.id = "launch.returns",
       .sentence = "Calls of the plugin return at once, within 10 ms; work goes on behind them.",
       .needs = needs::kProcesses,
       .rule = "abi.h, rules for both sides",
       .run = returns,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
