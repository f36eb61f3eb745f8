// ExitStatus: how a process ended, as a value that travels between processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hostmesh {

struct ExitStatus {
  enum class Kind : std::uint8_t {
    kUnknown = 0,    // it is gone, how is not known; `reason` says why not
    kExited = 1,     // `number` is its exit code
    kSignalled = 2,  // `number` is the signal that killed it
  };

  Kind kind = Kind::kUnknown;
  std::int32_t number = 0;
  bool core_dumped = false;
  std::string reason;
  // The names of the processes of its group that outlived it and were killed.
  std::vector<std::string> left_behind{};

  static ExitStatus exited(int code);
  static ExitStatus signalled(int signal, bool core_dumped);
  static ExitStatus unknown(std::string reason);
  // From what waitid() fills in: its code (CLD_EXITED, CLD_KILLED, CLD_DUMPED) and its status.
  static ExitStatus from_wait(int wait_code, int wait_status);

  bool success() const { return kind == Kind::kExited && number == 0; }
  bool is_signal(int signal) const { return kind == Kind::kSignalled && number == signal; }

  // "exited with code 3", "killed by signal 9 (KILL)", "killed by signal 11 (SEGV), core dumped",
  // "exit status unknown: <reason>".
  std::string text() const;

  bool operator==(const ExitStatus&) const = default;
};

// "KILL", "SEGV", "RTMIN+3"; the number in digits when it is no signal.
std::string signal_name(int signal);

}  // namespace hostmesh
