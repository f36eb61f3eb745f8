// What an allocation says about its procs: the events of its stream, in the order in which they happened.
//
// For each incarnation of a rank: Created, then at most one Running, then exactly one Stopped. Failed is
// about the allocation as a whole; after it the stream still ends.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "hostmesh/actor/ids.hpp"
#include "hostmesh/base/ids.hpp"
#include "hostmesh/process/exit_status.hpp"
#include "hostmesh/shape/extent.hpp"

namespace hostmesh {

// Why a proc ended. The first reason that was known wins: a proc that is killed because it froze is
// kWatchdog.
struct StopReason {
  enum class Kind : std::uint8_t {
    kStopped,       // it exited with 0
    kExited,        // with another code
    kKilled,        // by a signal
    kWatchdog,      // it did not answer, or not exit, in its time
    kHostWatchdog,  // its host cannot be reached any more
    kUnknown,       // its end was not observed
  };
  Kind kind = Kind::kUnknown;
  std::int32_t code = 0;
  std::int32_t signal = 0;
  bool core_dumped = false;
  std::vector<std::string> stderr_tail;  // its last whole lines, oldest first
  std::string detail;                    // what was observed, when the kind does not say it all
  // The names of the processes that it had started in its group, that outlived it and were killed.
  std::vector<std::string> left_behind;

  static StopReason from(const ExitStatus& status);
  // "stopped", "exited", "killed", "watchdog", "host_watchdog", "unknown".
  static std::string_view name(Kind kind);
  // One sentence without the tail: "exited with code 3".
  std::string text() const;

  bool operator==(const StopReason&) const = default;
};

struct ProcCreated {
  ShortUuid create_key;  // of this incarnation
  Rank rank = 0;
  Point point;           // in the allocation's extent
  std::int64_t pid = 0;  // on its node; 0 when not known
  std::string node;
};

struct ProcRunning {
  ShortUuid create_key;
  Rank rank = 0;
  ProcId proc_id;
  ActorId agent;     // the proc's own agent
  ChannelAddr addr;  // where the proc listens
};

struct ProcStopped {
  ShortUuid create_key;
  Rank rank = 0;
  StopReason reason;
};

// The allocation cannot become or stay complete. What runs is being stopped.
struct AllocFailed {
  std::string alloc;
  Error error;             // the first
  std::vector<Error> all;  // each with its rank, and its machine where that is known; that one included
};

using ProcState = std::variant<ProcCreated, ProcRunning, ProcStopped, AllocFailed>;

}  // namespace hostmesh
