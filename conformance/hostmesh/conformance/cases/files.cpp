// Group launch, its second part: programs and folders that are there or not, descriptors, signals, pids.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/cases/described.hpp"
#include "hostmesh/conformance/folder.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kLaunch = "abi.h, hostmesh_launch";

// Of a launch that cannot be: it comes to an end that says so. On this machine that is a failure with its
// errno and a text that names `what`; elsewhere it may be the end of the command that was the way there.
void expect_refused(Stage& stage, LaunchRequest request, const std::string& what, int os_error) {
  Probe probe(stage);
  const Seen seen = probe.await_end(probe.launch(std::move(request)));
  if (!stage.plugin().can(Capability::kSameMachine)) {
    stage.expect(seen.error || !seen.status.success(), "a launch that cannot be does not succeed",
                 seen.text());
    return;
  }
  stage.expect(seen.error.has_value(), "a launch that cannot be is reported as failed", seen.text());
  const std::string text = seen.error->text();
  stage.expect(text.find(what) != std::string::npos, "the error names " + what, text);
  const bool told =
      seen.error->info().os_error == os_error || text.find(std::strerror(os_error)) != std::string::npos;
  stage.expect(told, std::string("the error says why: ") + std::strerror(os_error), text);
}

void missing_program(Stage& stage) {
  LaunchRequest request = stage.payload({});
  request.argv = {"/nonexistent/hostmesh-conformance", "word"};
  expect_refused(stage, std::move(request), "/nonexistent/hostmesh-conformance", ENOENT);
}

void not_executable(Stage& stage) {
  const Folder folder;
  LaunchRequest request = stage.payload({});
  request.argv = {folder.file("plain", "#!/bin/sh\n", 0644).string()};
  expect_refused(stage, request, request.argv.front(), EACCES);
}

void wrong_format(Stage& stage) {
  const Folder folder;
  LaunchRequest request = stage.payload({});
  request.argv = {folder.file("garbage", "no program\n", 0755).string()};
  expect_refused(stage, request, request.argv.front(), ENOEXEC);
}

void working_directory(Stage& stage) {
  const Folder folder;
  LaunchRequest request = stage.payload({"describe"});
  request.working_directory = folder.path().string();
  Probe probe(stage);
  const Described got = describe(stage, probe, std::move(request));
  stage.equal("the working directory", got.facts.at("cwd"),
              std::filesystem::canonical(folder.path()).string());
}

// It may be that the process exists by then, and says so itself.
void missing_directory(Stage& stage) {
  LaunchRequest request = stage.payload({"exit", "0"});
  request.working_directory = "/nonexistent/hostmesh-conformance";
  Probe probe(stage);
  const Seen seen = probe.await_end(probe.launch(std::move(request)));
  stage.expect(seen.error || !seen.status.success(),
               "a launch in a folder that does not exist does not succeed", seen.text());
  const std::string said = seen.text() + seen.err;
  stage.expect(!stage.plugin().can(Capability::kSameMachine) ||
                   said.find("/nonexistent/hostmesh-conformance") != std::string::npos,
               "the folder is named", said);
}

void partial_failure(Stage& stage) {
  Probe probe(stage);
  for (int i = 0; i < 8; ++i) {
    LaunchRequest request = stage.payload({"exit", "0"});
    if (i == 3) request.working_directory = "/nonexistent/hostmesh-conformance";
    probe.launch(std::move(request));
  }
  for (LaunchId id = 1; id <= 8; ++id) {
    const Seen seen = probe.await_end(id);
    stage.expect((!seen.error && seen.status.success()) == (id != 4),
                 id == 4 ? "the launch that cannot be does not succeed" : "the launches beside it do",
                 "launch " + std::to_string(id) + " " + seen.text());
  }
}

void path_search(Stage& stage) {
  LaunchRequest request = stage.payload({"exit", "3"});
  const std::filesystem::path program = request.argv.front();
  request.argv.front() = program.filename().string();
  request.environment.front() = "PATH=/nonexistent:" + program.parent_path().string() + ":/usr/bin:/bin";
  Probe probe(stage);
  const Seen seen = probe.await_end(probe.launch(std::move(request)));
  stage.equal("the end of a program that is found in PATH", seen.text(), ExitStatus::exited(3).text());
}

void descriptors(Stage& stage) {
  // One that a launcher could hand down by accident: it has no close-on-exec.
  const int stray = ::dup(STDERR_FILENO);
  Probe probe(stage);
  const Described got = describe(stage, probe, stage.payload({"describe"}));
  ::close(stray);
  std::string extra;
  for (const auto& [number, what] : got.descriptors) {
    if (number > 2) extra += std::to_string(number) + " (" + what + ") ";
  }
  stage.equal("the descriptors beyond 0, 1 and 2", extra, "");
  stage.equal("the number of descriptors", got.descriptors.size(), 3U);
}

void signals(Stage& stage) {
  // What the host's threads block and ignore is theirs. Whoever ignores CHLD cannot learn how a child has
  // ended; with a handler for a fault there is nothing to ignore.
  sigset_t set;
  sigfillset(&set);
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  for (int number = 1; number < NSIG; ++number) {
    if (number != SIGCHLD && sigismember(&set, number) == 1) ::signal(number, SIG_IGN);
  }
  Probe probe(stage);
  const Described got = describe(stage, probe, stage.payload({"describe"}));
  stage.equal("the mask of blocked signals", got.facts.at("SigBlk"), "0000000000000000");
  stage.equal("the mask of ignored signals", got.facts.at("SigIgn"), "0000000000000000");
  for (const char* pending : {"SigPnd", "ShdPnd"}) {
    stage.equal("the mask of pending signals", got.facts.at(pending), "0000000000000000");
  }
}

void true_pid(Stage& stage) {
  Probe probe(stage);
  std::vector<LaunchId> launches;
  for (int i = 0; i < 3; ++i) launches.push_back(probe.launch(stage.payload({"describe"})));
  for (const LaunchId launch : launches) {
    const Seen seen = probe.await_end(launch);
    stage.expect(seen.out.find("\npid " + std::to_string(seen.pid) + "\n") != std::string::npos,
                 "the pid that is reported is the launch's own, " + std::to_string(seen.pid),
                 seen.out.substr(std::min(seen.out.find("\npid ") + 1, seen.out.size()), 20));
  }
}

void own_group(Stage& stage) {
  Probe probe(stage);
  const Described got = describe(stage, probe, stage.payload({"describe"}));
  stage.equal("the process group of the launch", got.facts.at("group"), got.facts.at("pid"));
}

void big_environment(Stage& stage) {
  for (const std::size_t size : {std::size_t{120} * 1024, std::size_t{128} * 1024, std::size_t{1} << 20}) {
    const std::string entry = "CONFORMANCE_BIG=" + std::string(size, 'x');
    LaunchRequest request = stage.payload({"describe"});
    request.environment.push_back(entry);
    Probe probe(stage);
    const Seen seen = probe.await_end(probe.launch(std::move(request)));
    const bool arrived = seen.out.find("env " + entry + "\n") != std::string::npos;
    stage.expect(seen.error || !seen.status.success() || arrived,
                 "a value of " + std::to_string(size) + " bytes arrives whole, or the launch fails",
                 seen.text());
    // One argument or variable may have 128 KiB at most on Linux.
    stage.expect(arrived || size >= std::size_t{128} * 1024,
                 "a value of " + std::to_string(size) + " bytes arrives", seen.text());
  }
}

}  // namespace

const std::vector<Case>& files_cases() {
  const Needs processes = needs::kProcesses;
  const Needs described = needs::kProcesses | needs::kOutput;
  const Needs here = described | needs::kSameMachine;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "launch.missing-program",
       .sentence = "A program that does not exist is a launch that fails, with its name and the reason.",
       .needs = processes,
       .rule = "abi.h, failed",
       .run = missing_program,
       .builds_on = base},
      {.id = "launch.not-executable",
       .sentence = "A file that is not executable is a launch that fails, with its name and the reason.",
       .needs = processes | needs::kSameMachine,
       .rule = "abi.h, failed",
       .run = not_executable,
       .builds_on = base},
      {.id = "launch.wrong-format",
       .sentence = "A file that is no program is a launch that fails, with its name and the reason.",
       .needs = processes | needs::kSameMachine,
       .rule = "abi.h, failed",
       .run = wrong_format,
       .builds_on = base},
      {.id = "launch.path-search",
       .sentence = "A name without / is searched in the PATH of the environment that is given.",
       .needs = processes | needs::kExitStatus,
       .rule = "abi.h, hostmesh_launch::argv",
       .run = path_search,
       .builds_on = base},
      {.id = "launch.working-directory",
       .sentence = "A launch begins in the working directory that is given.",
       .needs = here,
       .rule = "abi.h, hostmesh_launch::working_directory",
       .run = working_directory,
       .builds_on = base},
      {.id = "launch.missing-directory",
       .sentence = "A launch in a folder that does not exist does not succeed, and the folder is named.",
       .needs = described | needs::kExitStatus,
       .rule = "abi.h, hostmesh_launch::working_directory",
       .run = missing_directory,
       .builds_on = base},
      {.id = "launch.partial-failure",
       .sentence = "A launch that fails leaves those beside it alone.",
       .needs = processes | needs::kExitStatus,
       .rule = kLaunch,
       .run = partial_failure,
       .builds_on = base},
      {.id = "launch.descriptors",
       .sentence = "A launch has the descriptors 0, 1 and 2 and no other.",
       .needs = here,
       .rule = kLaunch,
       .run = descriptors,
       .builds_on = base},
      {.id = "launch.signals",
       .sentence = "A launch blocks and ignores no signal, whatever its host does.",
       .needs = here,
       .rule = kLaunch,
       .run = signals,
       .builds_on = base},
      {.id = "launch.true-pid",
       .sentence = "The pid that is reported is the launch's own.",
       .needs = here,
       .rule = "abi.h, launched",
       .run = true_pid,
       .builds_on = base},
      {.id = "launch.own-group",
       .sentence = "A launch leads a process group of its own.",
       .needs = here | needs::kSignal,
       .rule = "abi.h, HOSTMESH_CAPABILITY_SIGNAL",
       .run = own_group,
       .builds_on = base},
      {.id = "launch.big-environment",
       .sentence =
           "A variable of more than 100 KiB arrives whole; one that is too big is a launch that fails.",
       .needs = here,
       .rule = "abi.h, hostmesh_launch::environment",
       .run = big_environment,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
