#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <memory>
#include <string_view>

#include "commands.hpp"
#include "hostmesh/base/error.hpp"
#include "hostmesh/base/foreign_code.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/conformance/conformance.hpp"
#include "hostmesh/process/spawn.hpp"

namespace {

using namespace hostmesh::cli;

constexpr const char* kSeeHelp = "hostmesh --help lists the commands";

int verbosity_count(int count) {
  if (count == 1) hostmesh::log::set_level(hostmesh::log::Level::kInfo);
  if (count > 1) hostmesh::log::set_level(hostmesh::log::Level::kDebug);
  return count;
}

// A caller may have closed 0, 1 or 2. What we open next would take their numbers, and would then be written
// to as if it were the terminal.
void fill_standard_descriptors() {
  for (;;) {
    const int fd = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    if (fd > STDERR_FILENO) {
      ::close(fd);
      return;
    }
  }
}

// The keeper that has started this process, which says so in the environment; that is not for the commands.
pid_t keeper() {
  const char* const said = std::getenv("HOSTMESH_KEEPER");
  const pid_t pid = said == nullptr ? 0 : static_cast<pid_t>(std::atoi(said));
  ::unsetenv("HOSTMESH_KEEPER");
  return pid;
}

// What was asked for cannot be: as opposed to what was tried and failed.
int status_of(const hostmesh::Error& error) {
  switch (error.cause()) {
    case hostmesh::Cause::kInvalidArgument:
    case hostmesh::Cause::kConfiguration:
    case hostmesh::Cause::kPlugin:
      return kUsageStatus;
    default:
      return kNotComeUpStatus;
  }
}

// The help of `run`, whose COMMAND the parser never sees.
class RunHelp final : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: hostmesh run [OPTIONS] -- COMMAND [ARG...]\n";
  }
};

int usage_error(const std::string& what, const std::string& more) {
  std::fprintf(stderr, "hostmesh: %s\nhostmesh: %s\n", what.c_str(), more.c_str());
  return kUsageStatus;
}

// What is wrong with words of `run` that are none of its options. `argv` is what comes before the --.
int unexpected_words(CLI::App& run, const std::vector<std::string>& argv,
                     const std::vector<std::string>& words, bool has_command) {
  const std::string help = "hostmesh run --help lists the options";
  const std::string& first = words.front();
  if (first.starts_with("-")) {
    for (const char* const count : {"-n", "-np", "--np", "--ntasks"}) {
      if (first == count)
        return usage_error(
            "run has no option " + first,
            "write --per-host procs=N for N procs on each host, --extent hosts=N for N hosts; " + help);
    }
    return usage_error("run has no option " + first, help);
  }
  if (has_command)
    return usage_error("'" + first + "' is no option of run, and COMMAND comes after --", help);
  // Not where it is the value of an option.
  const auto takes_value = [&run](const std::string& word) {
    const CLI::Option* const option = word.starts_with("-") ? run.get_option_no_throw(word) : nullptr;
    return option != nullptr && option->get_items_expected_max() > 0;
  };
  std::string text;
  bool is_behind = false;
  for (std::size_t i = 0; i < argv.size(); ++i) {
    if (!is_behind && i > 1 && argv[i] == first && !takes_value(argv[i - 1])) {
      is_behind = true;
      text += "-- ";
    }
    text += i == 0 ? "hostmesh " : hostmesh::command_text({argv[i]}) + " ";
  }
  text.pop_back();
  return usage_error("COMMAND comes after --", "write: " + text);
}

}  // namespace

int main(int argc, char** argv) try {
  fill_standard_descriptors();
  // It has a parser of its own, which it shares with the test programs of plugins.
  if (argc > 1 && std::string_view(argv[1]) == "conformance") {
    return hostmesh::conformance::main(argc - 1, argv + 1, {.program = "hostmesh conformance"});
  }
  // What follows the first -- is COMMAND, word for word: the parser would take words like [a,b] apart.
  char** const arguments_end = argv + argc;
  char** const separator =
      std::find_if(argv, arguments_end, [](const char* word) { return std::string_view(word) == "--"; });
  const std::vector<std::string> command(separator == arguments_end ? separator : std::next(separator),
                                         arguments_end);
  CLI::App app("hostmesh: bring up processes on machines and keep them honest");
  app.fallthrough(false);
  app.allow_extras();
  app.set_version_flag("--version", "hostmesh " HOSTMESH_VERSION, "print the version and exit");

  RunOptions run_options;
  bool keep_going = false;
  bool json = false;
  bool no_label = false;
  bool merge_output = false;
  int verbose = 0;
  CLI::App* run_command =
      app.add_subcommand("run", "allocate hosts, run COMMAND on every rank, stream its output, tear down");
  run_command->add_option("-c,--config", run_options.config,
                          "plugins.yaml (default: ./plugins.yaml, else the installed one)");
  run_command->add_option("-a,--allocator", run_options.allocator,
                          "which allocator (default: the file's `default:`)");
  run_command->add_option("--extent", run_options.extent, "the hosts: LABEL=N[,LABEL=N...]")
      ->capture_default_str();
  run_command->add_option("--per-host", run_options.per_host,
                          "procs on each host: LABEL=N[,...] (default: one)");
  run_command->add_option("--name", run_options.name, "the mesh's name")->capture_default_str();
  run_command->add_option("--timeout", run_options.timeout, "for the mesh to come up")->capture_default_str();
  run_command->add_flag("--keep-going", keep_going, "do not stop everything at the first COMMAND that fails");
  run_command->add_flag("--json", json, "one JSON object a line on stdout for every event, output included");
  run_command->add_flag("--no-label", no_label, "COMMAND's lines as they are, without their rank");
  run_command->add_flag("--merge-output", merge_output,
                        "COMMAND's stderr comes as its stdout, in the order in which both were written");
  run_command->add_option(
      "--export", run_options.exported,
      "which environment variables COMMAND gets: all, none or NAME[=VALUE],... (default: all, "
      "on other machines all but those of this machine and secrets)");
  run_command->add_flag("-v", verbose, "more logging, on stderr");
  run_command->formatter(std::make_shared<RunHelp>());
  run_command->allow_extras();

  AllocatorsOptions allocators_options;
  CLI::App* allocators_command = app.add_subcommand("allocators", "what plugins.yaml offers");
  allocators_command->add_option("-c,--config", allocators_options.config,
                                 "plugins.yaml (default: ./plugins.yaml, else the installed one)");
  allocators_command->add_option("name", allocators_options.name,
                                 "one allocator: its plugin's version, capabilities and options");

  allocators_command->allow_extras();

  // For the list of subcommands; these are not reached.
  app.add_subcommand("conformance", "try whether an allocator does what every allocator promises");
  app.add_subcommand("keep",
                     "-- PROGRAM: runs a client program of yours, and kills whatever it leaves running");

  try {
    app.parse(static_cast<int>(separator - argv), argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help and version
    return usage_error(error.what(), *run_command ? "hostmesh run --help lists the options" : kSeeHelp);
  }
  if (const auto words = app.remaining(); !words.empty())
    return usage_error("there is no command '" + words.front() + "'", kSeeHelp);
  if (!*run_command && !*allocators_command)
    return usage_error("a command is needed: run, allocators or conformance", kSeeHelp);
  if (const auto words = allocators_command->remaining(); !words.empty())
    return usage_error("allocators takes one NAME, and '" + words.front() + "' is one more", kSeeHelp);
  if (!*run_command && separator != arguments_end)
    return usage_error("only run has a COMMAND after --", kSeeHelp);
  if (*run_command) {
    if (const auto words = run_command->remaining(); !words.empty())
      return unexpected_words(*run_command, {argv, separator}, words, !command.empty());
    if (command.empty())
      return usage_error("COMMAND is missing", "write: hostmesh run [OPTIONS] -- COMMAND [ARG...]");
    run_options.command = command;
  }
  hostmesh::report_crashes_of_foreign_code();
  try {
    if (*run_command) {
      verbosity_count(verbose);
      run_options.on_failure = keep_going ? OnFailure::kKeepGoing : OnFailure::kStopAll;
      run_options.format = json ? Format::kJson : Format::kText;
      run_options.keeper = keeper();
      run_options.labels = no_label ? Labels::kNone : Labels::kRank;
      run_options.streams = merge_output ? Streams::kMerged : Streams::kApart;
      return run(run_options);
    }
    if (*allocators_command) return allocators(allocators_options);
  } catch (const hostmesh::Error& error) {
    std::fprintf(stderr, "hostmesh: %s\n", error.what());
    return status_of(error);
  }
  return kUsageStatus;
} catch (...) {  // no thread or no memory to be had
  std::fprintf(stderr, "hostmesh: %s\n", hostmesh::error_of_exception("the command failed", "").what());
  return kNotComeUpStatus;
}
