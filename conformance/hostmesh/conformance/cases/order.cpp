// Group order: which reports come, in which order, and when no more may come.
#include <algorithm>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/cases/round.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kReports = "abi.h, hostmesh_host_table";

std::string launch_text(LaunchId id) {
  return "launch " + std::to_string(id);
}

void every_launch_ends(Stage& stage) {
  Probe probe(stage);
  const LaunchId good = probe.launch(stage.payload({"exit", "0"}));
  const LaunchId bad = probe.launch(stage.payload({"exit", "7"}));

  for (const LaunchId launch : {good, bad}) {
    const Seen seen = probe.await_end(launch);
    stage.expect(!seen.error, launch_text(launch) + " is reported as exited, however it did", seen.text());
  }
}

void launched_first(Stage& stage) {
  Round round(stage);

  for (LaunchId id = 1; id <= round.last_launch(); ++id) {
    const auto reports = round.record().reports_of(id);
    if (reports.empty()) continue;  // launch() itself has failed it
    const RawReport& first = reports.front();
    stage.expect(first.call == "launched" || first.call == "spawn_local" || first.call == "failed",
                 "the first report of " + launch_text(id) + " is launched, or failed",
                 round.reports_text(id));
  }
}

void launched_once(Stage& stage) {
  Round round(stage);

  for (LaunchId id = 1; id <= round.last_launch(); ++id) {
    const auto reports = round.record().reports_of(id);
    const auto count = std::count_if(reports.begin(), reports.end(), [](const RawReport& each) {
      return each.call == "launched" || each.call == "spawn_local";
    });
    // One whose command did not get as far is begun anew.
    const auto begun_anew = static_cast<std::ptrdiff_t>(round.record().taken_back(id));
    stage.expect(count <= 1 + begun_anew, launch_text(id) + " is reported as launched once",
                 round.reports_text(id));
  }
}

void one_end(Stage& stage) {
  Round round(stage);

  for (LaunchId id = 1; id <= round.last_launch(); ++id) {
    const auto reports = round.record().reports_of(id);
    const auto ends = std::count_if(reports.begin(), reports.end(), is_end);
    stage.expect(ends <= 1, launch_text(id) + " is reported as ended once", round.reports_text(id));
  }
}

void nothing_after_end(Stage& stage) {
  Round round(stage);

  for (LaunchId id = 1; id <= round.last_launch(); ++id) {
    const auto reports = round.record().reports_of(id);
    const auto end = std::find_if(reports.begin(), reports.end(), is_end);
    const bool more = end != reports.end() && std::any_of(end + 1, reports.end(), [](const RawReport& each) {
                        return each.call == "output" || each.call == "launched";
                      });
    stage.expect(!more, "no output comes after the end of " + launch_text(id), round.reports_text(id));
  }
}

void reports_or_runs(Stage& stage) {
  Round round(stage);

  for (LaunchId id = 1; id <= round.last_launch(); ++id) {
    const auto reports = round.record().reports_of(id);
    const bool run_by_host = std::any_of(reports.begin(), reports.end(),
                                         [](const RawReport& each) { return each.call == "spawn_local"; });
    const bool reported = std::any_of(reports.begin(), reports.end(), [](const RawReport& each) {
      return each.call == "launched" || each.call == "output" || is_end(each);
    });
    stage.expect(!run_by_host || !reported,
                 "the plugin reports nothing of " + launch_text(id) + ", which the host runs",
                 round.reports_text(id));
  }
}

void no_strangers(Stage& stage) {
  Round round(stage);

  for (const RawReport& report : round.record().reports()) {
    stage.expect(report.id >= 1 && report.id <= round.last_launch(),
                 "reports are of launches that were asked for",
                 report.call + " of " + launch_text(report.id));
  }
}

void sensible(Stage& stage) {
  Round round(stage);

  for (const Dropped& dropped : round.record().dropped()) {
    stage.expect(dropped.why != "it makes no sense", "every report is filled in as abi.h says",
                 dropped.call + " of " + launch_text(dropped.id) + " makes no sense");
  }
}

void silent_after_destroy(Stage& stage) {
  Round round(stage);

  for (const RawReport& report : round.record().reports()) {
    stage.expect(report.moment != PluginObserver::Moment::kAfterDestroy,
                 "no report after destroy() has returned", report.call + " of " + launch_text(report.id));
  }
}

// Destroyed while launches still run: the ends that this brings about are nobody's any more.
void silent_when_destroyed_early(Stage& stage) {
  Probe probe(stage);
  for (int i = 0; i < 4; ++i) probe.launch_ready(stage.payload({"wait"}));

  probe.destroy();

  const bool spoke = probe.record().wait_reports(
      stage.within(std::chrono::milliseconds(500)), [](const std::vector<RawReport>& reports) {
        return std::any_of(reports.begin(), reports.end(), [](const RawReport& each) {
          return each.moment == PluginObserver::Moment::kAfterDestroy;
        });
      });
  stage.expect(!spoke, "no report after destroy() has returned", probe.record().reports().back().call);
}

void no_exception(Stage& stage) {
  Round round(stage);

  for (const HostCallSeen& call : round.record().calls()) {
    stage.expect(call.exception.empty(), "no exception leaves " + call.call, call.exception);
  }
}

}  // namespace

const std::vector<Case>& order_cases() {
  const Needs processes = needs::kProcesses;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "order.every-launch-ends",
       .sentence = "A launch of a program that exists comes to an end, which is reported: it exited.",
       .needs = processes,
       .deadline = std::chrono::seconds(5),
       .rule = kReports,
       .run = every_launch_ends},
      {.id = "order.launched-first",
       .sentence = "The first report of a launch is that it is launched, or that it has failed.",
       .needs = processes,
       .rule = kReports,
       .run = launched_first,
       .builds_on = base},
      {.id = "order.launched-once",
       .sentence = "A launch is reported as launched only once.",
       .needs = processes,
       .rule = kReports,
       .run = launched_once,
       .builds_on = base},
      {.id = "order.one-end",
       .sentence = "Each launch ends once, by exited or by failed.",
       .needs = processes,
       .rule = kReports,
       .run = one_end,
       .builds_on = base},
      {.id = "order.nothing-after-end",
       .sentence = "All output of a launch is reported before its end.",
       .needs = processes,
       .rule = kReports,
       .run = nothing_after_end,
       .builds_on = base},
      {.id = "order.reports-or-runs",
       .sentence = "Of a launch that the host runs for the plugin, the plugin reports nothing itself.",
       .needs = processes,
       .rule = "abi.h, spawn_local",
       .run = reports_or_runs,
       .builds_on = base},
      {.id = "order.no-strangers",
       .sentence = "Reports are of launches that were asked for.",
       .needs = processes,
       .rule = kReports,
       .run = no_strangers,
       .builds_on = base},
      {.id = "order.sensible",
       .sentence = "Reports are filled in as the interface says: streams, ends and errors that exist.",
       .needs = processes,
       .rule = kReports,
       .run = sensible,
       .builds_on = base},
      {.id = "order.silent-after-destroy",
       .sentence = "Nothing is reported after destroy has returned.",
       .needs = processes,
       .rule = kReports,
       .run = silent_after_destroy,
       .builds_on = base},
      {.id = "order.silent-when-destroyed-early",
       .sentence =
           "Nothing is reported after destroy has returned, not even when launches were still running.",
       .needs = processes | needs::kOutput,
       .rule = kReports,
       .run = silent_when_destroyed_early,
       .builds_on = base},
      {.id = "order.no-exception",
       .sentence = "No exception leaves a function of the plugin's.",
       .needs = processes,
       .rule = "abi.h, rules for both sides",
       .run = no_exception,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
