#include "hostmesh/process/exit_status.hpp"

#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <utility>

namespace hostmesh {

ExitStatus ExitStatus::exited(int code) {
  return {.kind = Kind::kExited, .number = code};
}

ExitStatus ExitStatus::signalled(int signal, bool core_dumped) {
  return {.kind = Kind::kSignalled, .number = signal, .core_dumped = core_dumped};
}

ExitStatus ExitStatus::unknown(std::string reason) {
  return {.kind = Kind::kUnknown, .reason = std::move(reason)};
}

ExitStatus ExitStatus::from_wait(int wait_code, int wait_status) {
  switch (wait_code) {
    case CLD_EXITED:
      return exited(wait_status);
    case CLD_KILLED:
      return signalled(wait_status, false);
    case CLD_DUMPED:
      return signalled(wait_status, true);
    default:
      return unknown("the wait answered code " + std::to_string(wait_code));
  }
}

std::string ExitStatus::text() const {
  switch (kind) {
    case Kind::kExited:
      return "exited with code " + std::to_string(number);
    case Kind::kSignalled: {
      std::string text = "killed by signal " + std::to_string(number) + " (" + signal_name(number) + ")";
      if (core_dumped) text += ", core dumped";
      return text;
    }
    case Kind::kUnknown:
      break;
  }
  return reason.empty() ? "exit status unknown" : "exit status unknown: " + reason;
}

std::string signal_name(int signal) {
  if (const char* name = ::sigabbrev_np(signal)) return name;
  if (signal == SIGRTMIN) return "RTMIN";
  if (signal > SIGRTMIN && signal <= SIGRTMAX) return "RTMIN+" + std::to_string(signal - SIGRTMIN);
  return std::to_string(signal);
}

}  // namespace hostmesh
