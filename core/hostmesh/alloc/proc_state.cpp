#include "hostmesh/alloc/proc_state.hpp"

namespace hostmesh {

StopReason StopReason::from(const ExitStatus& status) {
  StopReason reason;
  reason.left_behind = status.left_behind;
  switch (status.kind) {
    case ExitStatus::Kind::kExited:
      reason.kind = status.number == 0 ? Kind::kStopped : Kind::kExited;
      reason.code = status.number;
      break;
    case ExitStatus::Kind::kSignalled:
      reason.kind = Kind::kKilled;
      reason.signal = status.number;
      reason.core_dumped = status.core_dumped;
      break;
    case ExitStatus::Kind::kUnknown:
      reason.detail = status.text();
      break;
  }
  return reason;
}

std::string_view StopReason::name(Kind kind) {
  switch (kind) {
    case Kind::kStopped:
      return "stopped";
    case Kind::kExited:
      return "exited";
    case Kind::kKilled:
      return "killed";
    case Kind::kWatchdog:
      return "watchdog";
    case Kind::kHostWatchdog:
      return "host_watchdog";
    case Kind::kUnknown:
      return "unknown";
  }
  return "unknown";
}

std::string StopReason::text() const {
  switch (kind) {
    case Kind::kStopped:
      return "exited with code 0";
    case Kind::kExited:
      return ExitStatus::exited(code).text();
    case Kind::kKilled:
      return ExitStatus::signalled(signal, core_dumped).text();
    case Kind::kWatchdog:
      return detail.empty() ? "did not answer in time" : detail;
    case Kind::kHostWatchdog:
      return detail.empty() ? "its host cannot be reached" : detail;
    case Kind::kUnknown:
      return detail.empty() ? "ended in a way that was not observed" : detail;
  }
  return detail;
}

}  // namespace hostmesh
