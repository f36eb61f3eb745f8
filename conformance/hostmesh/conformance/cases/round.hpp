// Round: one launch of every kind, all at once, to the end; then the instance is destroyed, and listened to
// for a while more. What came of it is in the record, to be judged for one rule at a time.
#pragma once

#include <string>
#include <vector>

#include "hostmesh/conformance/probe.hpp"

namespace hostmesh::conformance {

class Round {
 public:
  // Exits with 0 and with 7, writes to both streams, dies of a signal, cannot be executed, and, where signals
  // reach it, is killed. Fails the case when one of them but the last does not end.
  explicit Round(Stage& stage);

  Recorder& record() { return probe_.record(); }
  LaunchId last_launch() const { return last_; }
  // "launched, output, exited": the plugin's own reports of a launch, as they came.
  std::string reports_text(LaunchId id);

 private:
  Probe probe_;
  LaunchId last_ = 0;
};

// Whether a report is one of the ends of a launch.
bool is_end(const RawReport& report);

}  // namespace hostmesh::conformance
