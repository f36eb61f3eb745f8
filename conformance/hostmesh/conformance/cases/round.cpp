#include "hostmesh/conformance/cases/round.hpp"

#include <algorithm>

namespace hostmesh::conformance {

namespace {

// What comes after the end of a launch, or of an instance, comes within this time or is not seen.
constexpr Duration kListening = std::chrono::milliseconds(300);

// That a launch says what it should and dies when it is told to is for other cases: here it is not waited for
// any longer than this.
constexpr Duration kOfOthers = std::chrono::seconds(2);

// Nothing may come, so there is nothing to wait for but the time.
void listen(Stage& stage, Recorder& record) {
  record.wait(stage.within(kListening), [] { return false; });
}

}  // namespace

Round::Round(Stage& stage) : probe_(stage) {
  std::vector<LaunchId> launches = {
      probe_.launch(stage.payload({"exit", "0"})),
      probe_.launch(stage.payload({"exit", "7"})),
      probe_.launch(stage.payload({"print", "stdout", "some words\n", "0"})),
      probe_.launch(stage.payload({"print", "stderr", "other words", "1"})),
      probe_.launch(stage.payload({"signal", std::to_string(SIGKILL)})),
  };
  LaunchRequest missing = stage.payload({});
  missing.argv = {"/nonexistent/hostmesh-conformance"};
  launches.push_back(probe_.launch(std::move(missing)));
  last_ = launches.back();
  const bool kill = stage.plugin().can(Capability::kSignal) && stage.plugin().can(Capability::kOutput);
  if (kill) last_ = probe_.launch(stage.payload({"wait"}));
  for (const LaunchId launch : launches) probe_.await_end(launch);
  if (kill) {
    const auto wait = [&](const std::function<bool(const Seen&)>& enough) {
      probe_.record().wait_seen(last_, stage.within(kOfOthers), enough);
    };
    wait([](const Seen& seen) { return seen.ended || seen.out.find("ready ") != std::string::npos; });
    probe_.signal(last_, SIGKILL);
    wait([](const Seen& seen) { return seen.ended; });
  }
  listen(stage, probe_.record());
  probe_.destroy();
  listen(stage, probe_.record());
}

std::string Round::reports_text(LaunchId id) {
  std::string text;
  for (const RawReport& report : record().reports_of(id)) text += (text.empty() ? "" : ", ") + report.call;
  return text.empty() ? "none" : text;
}

bool is_end(const RawReport& report) {
  return report.call == "exited" || report.call == "failed";
}

}  // namespace hostmesh::conformance
