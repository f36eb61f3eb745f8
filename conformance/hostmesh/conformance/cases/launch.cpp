// Group launch: what a launch is handed, and what is said of how it ended.
#include <algorithm>

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

void environment_complete(Stage& stage) {
  const LaunchRequest request = stage.payload({"describe"});
  Probe probe(stage);

  const Described got = describe(stage, probe, request);

  for (const std::string& entry : got.environment) {
    const bool wanted =
        std::find(request.environment.begin(), request.environment.end(), entry) != request.environment.end();
    stage.expect(wanted, "the environment is what was asked for and nothing more", entry);
  }
}

void returns(Stage& stage) {
  Probe probe(stage);
  for (int i = 0; i < 4; ++i) probe.await_end(probe.launch(stage.payload({"exit", "0"})));

  constexpr Duration kAtOnce = std::chrono::milliseconds(500);
  for (const HostCallSeen& call : probe.record().calls()) {
    stage.expect(call.took && *call.took <= stage.scaled(kAtOnce), call.call + " returns at once",
                 "it took " + (call.took ? hostmesh::to_string(*call.took) : "for ever"));
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
      {.id = "launch.environment-verbatim",
       .sentence = "The environment arrives as it was given: values with =, quotes, newlines, none at all.",
       .needs = described,
       .rule = kLaunch,
       .run = environment_verbatim,
       .builds_on = base},
      {.id = "launch.environment-complete",
       .sentence = "Nothing is added to the environment that was given.",
       .needs = described | needs::kSameMachine,
       .rule = "abi.h, hostmesh_launch::environment",
       .run = environment_complete,
       .builds_on = base},
      {.id = "launch.returns",
       .sentence = "create and launch return at once; work goes on behind them.",
       .needs = needs::kProcesses,
       .rule = "abi.h, rules for both sides",
       .run = returns,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
