#include <CLI/CLI.hpp>
#include <cstdio>

#include "commands.hpp"
#include "hostmesh/base/error.hpp"
#include "hostmesh/base/log.hpp"

namespace {

using namespace hostmesh::cli;

int verbosity_count(int count) {
  if (count == 1) hostmesh::log::set_level(hostmesh::log::Level::kInfo);
  if (count > 1) hostmesh::log::set_level(hostmesh::log::Level::kDebug);
  return count;
}

}  // namespace

int main(int argc, char** argv) {
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
  run_command->add_option("-a,--allocator", run_options.allocator, "which allocator (default: the file's `default:`)");
  run_command->add_option("--extent", run_options.extent, "the hosts: LABEL=N[,LABEL=N...]")->capture_default_str();
  run_command->add_option("--per-host", run_options.per_host, "procs on each host: LABEL=N[,...] (default: one)");
  run_command->add_option("--name", run_options.name, "the mesh's name")->capture_default_str();
  run_command->add_option("--timeout", run_options.timeout, "for the mesh to come up")->capture_default_str();
  run_command->add_flag("--keep-going", keep_going, "do not stop everything at the first COMMAND that fails");
  run_command->add_flag("--json", json, "one JSON object a line on stdout for every event, output included");
  run_command->add_flag("--no-label", no_label, "COMMAND's lines as they are, without their rank");
  run_command->add_flag("-v", verbose, "more logging, on stderr");
  run_command->add_option("command", run_options.command, "COMMAND [ARG...], after --")->required();
  run_command->positionals_at_end();

  AllocatorsOptions allocators_options;
  CLI::App* allocators_command = app.add_subcommand("allocators", "what plugins.yaml offers");
  allocators_command->add_option("-c,--config", allocators_options.config,
                                 "plugins.yaml (default: ./plugins.yaml, else the installed one)");
  allocators_command->add_option("name", allocators_options.name,
                                 "one allocator: its plugin's version, capabilities and options");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageStatus;
  }
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
    return kUsageStatus;
  }
  return kUsageStatus;
}
