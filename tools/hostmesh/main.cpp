#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <iterator>
#include <string_view>

#include "commands.hpp"
#include "hostmesh/base/error.hpp"
#include "hostmesh/base/foreign_code.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/conformance/conformance.hpp"

namespace {

using namespace hostmesh::cli;

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
  app.require_subcommand(1);
  app.fallthrough(false);

  RunOptions run_options;
  bool keep_going = false;
  bool json = false;
  bool no_label = false;
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
  run_command->add_flag("-v", verbose, "more logging, on stderr");
  run_command->footer("After the options: -- COMMAND [ARG...]");

  AllocatorsOptions allocators_options;
  CLI::App* allocators_command = app.add_subcommand("allocators", "what plugins.yaml offers");
  allocators_command->add_option("-c,--config", allocators_options.config,
                                 "plugins.yaml (default: ./plugins.yaml, else the installed one)");
  allocators_command->add_option("name", allocators_options.name,
                                 "one allocator: its plugin's version, capabilities and options");

  // For the list of subcommands; it is not reached.
  app.add_subcommand("conformance", "try whether an allocator does what every allocator promises");

  try {
    app.parse(static_cast<int>(separator - argv), argv);
    if (*run_command && command.empty()) throw CLI::RequiredError("COMMAND after --");
    if (!*run_command && separator != arguments_end) throw CLI::ExtrasError({"--"});
    run_options.command = command;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageStatus;
  }
  hostmesh::report_crashes_of_foreign_code();
  try {
    if (*run_command) {
      verbosity_count(verbose);
      run_options.on_failure = keep_going ? OnFailure::kKeepGoing : OnFailure::kStopAll;
      run_options.format = json ? Format::kJson : Format::kText;
      run_options.labels = no_label ? Labels::kNone : Labels::kRank;
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
