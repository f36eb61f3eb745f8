#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>

#include "hostmesh/conformance/conformance.hpp"
#include "hostmesh/conformance/driver.hpp"
#include "hostmesh/conformance/format.hpp"
#include "hostmesh/conformance/subject.hpp"
#include "hostmesh/conformance/worker.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/exit_status.hpp"

namespace hostmesh::conformance {

namespace {

// As a shell says that a program died of a signal.
constexpr int kSignalStatus = 128;

struct Arguments {
  SubjectChoice subject;
  std::string only;
  std::string format;
  std::size_t jobs = 8;
  double patience = 1;
  bool list = false;
};

// The arguments over the defaults, or the status with which to end.
std::variant<Arguments, int> parse(int argc, char** argv, const Defaults& defaults) {
  Arguments arguments;
  arguments.subject.options = defaults.options;
  std::vector<std::string> options;
  CLI::App app("Tries whether an allocator plugin does what every allocator promises.");
  if (!defaults.program.empty()) app.name(defaults.program);
  app.add_option("-a,--allocator", arguments.subject.allocator, "an allocator of plugins.yaml");
  app.add_option("--plugin", arguments.subject.plugin, "the plugin in this file, whatever plugins.yaml says");
  app.add_option("-c,--config", arguments.subject.config,
                 "plugins.yaml (default: ./plugins.yaml, else the installed one)");
  app.add_option("--option", options, "KEY=VALUE: an option of the plugin, as in plugins.yaml")
      ->allow_extra_args(false);
  app.add_option("--only", arguments.only, "the cases that match: order.*,stop.term");
  app.add_flag("--list", arguments.list, "say what the cases are, and run none");
  app.add_option("--jobs", arguments.jobs, "how many cases at a time")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  app.add_option("--format", arguments.format, "tap, junit or json; with --list markdown or json");
  app.add_option("--patience", arguments.patience, "on a slow machine: every deadline times this")
      ->capture_default_str()
      ->check(CLI::Range(0.1, 1000.0));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kConformsStatus : kUnusableStatus;
  }
  arguments.subject.options.insert(arguments.subject.options.end(), options.begin(), options.end());
  if (!arguments.subject.plugin.empty() && !arguments.subject.allocator.empty()) {
    std::fprintf(stderr, "hostmesh: --plugin and --allocator exclude each other\n");
    return kUnusableStatus;
  }
  if (arguments.subject.plugin.empty() && arguments.subject.allocator.empty()) {
    arguments.subject.plugin = defaults.plugin;
    arguments.subject.allocator = defaults.plugin.empty() ? defaults.allocator : "";
  }
  if (arguments.subject.config.empty()) arguments.subject.config = defaults.config;
  return arguments;
}

std::vector<const Case*> selected(const std::string& only) {
  std::vector<const Case*> cases;
  for (const Case& each : all_cases()) {
    if (only.empty() || matches(each.id, only)) cases.push_back(&each);
  }
  return cases;
}

int complain(const std::string& text) {
  std::fprintf(stderr, "hostmesh: %s\n", text.c_str());
  return kUnusableStatus;
}

int list(const Arguments& arguments) {
  const std::string text = list_cases(selected(arguments.only), arguments.format);
  if (text.empty())
    return complain("--format with --list is markdown or json, not '" + arguments.format + "'");
  std::fputs(text.c_str(), stdout);
  return 0;
}

// The command line of this process, which may have more words than main() was given.
std::vector<std::string> own_command_line() {
  std::vector<std::string> words;
  const std::string whole = read_proc_file("/proc/self/cmdline").value_or("");
  for (std::size_t at = 0; at < whole.size();) {
    words.emplace_back(whole.c_str() + at);
    at += words.back().size() + 1;
  }
  return words;
}

int run(const Arguments& arguments) {
  const auto formatter = make_formatter(arguments.format);
  if (!formatter) return complain("--format is tap, junit or json, not '" + arguments.format + "'");
  auto cases = selected(arguments.only);
  if (cases.empty()) return complain("no case matches '" + arguments.only + "'; --list says which there are");
  const Case* const first = &all_cases().front();
  if (cases.front() != first) cases.insert(cases.begin(), first);
  // Told before anything runs, and before any process is started.
  if (const auto chosen = choose(arguments.subject); !chosen) return complain(chosen.error().text());

  DriverOptions options;
  options.cases = std::move(cases);
  options.argv = own_command_line();
  options.jobs = arguments.jobs;
  options.patience = arguments.patience;
  options.on_plugin = [&](const PluginDescription& plugin) { formatter->plugin(plugin); };
  std::optional<std::string> mistake;
  options.on_outcome = [&](const Outcome& outcome) {
    if (outcome.verdict == Outcome::Verdict::kUnusable && !mistake) mistake = outcome.why;
    if (!mistake) formatter->outcome(outcome);
  };
  formatter->begin(options.cases.size());
  Report report = run_cases(options);
  if (mistake) return complain(*mistake);
  if (report.interrupted != 0) {
    complain("interrupted by " + signal_name(report.interrupted) + ": no verdict");
    return kSignalStatus + report.interrupted;
  }
  report.subject = arguments.subject.text();
  formatter->end(report);
  return report.conforms() ? kConformsStatus : kDoesNotConformStatus;
}

}  // namespace

int main(int argc, char** argv, const Defaults& defaults) {
  try {
    const auto parsed = parse(argc, argv, defaults);
    if (const int* status = std::get_if<int>(&parsed)) return *status;
    const auto& arguments = std::get<Arguments>(parsed);
    if (const char* id = std::getenv(kEnvCase)) {
      const Case* const which = find_case(id);
      if (which == nullptr) return complain("there is no case '" + std::string(id) + "'");
      run_as_worker(*which, arguments.subject, arguments.patience);
    }
    if (arguments.list) return list(arguments);
    if (arguments.subject.plugin.empty() && arguments.subject.allocator.empty()) {
      return complain("which allocator? --allocator NAME or --plugin FILE");
    }
    return run(arguments);
  } catch (const std::exception& error) {
    return complain(error.what());
  }
}

}  // namespace hostmesh::conformance
