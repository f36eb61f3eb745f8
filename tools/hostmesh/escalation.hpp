// Escalation: what each signal that comes means to a run, given those before it. Pure: the time comes in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace hostmesh::cli {

// What a signal is for.
enum class SignalUse : std::uint8_t {
  kEnd,     // ends the run in order: whatever would end a program that does not handle it
  kHandOn,  // is for the commands: the run goes on
  kNone,    // is left as the program has it
};

// KILL and STOP cannot be had; TSTP, TTIN and TTOU stop this process alone; CHLD and PIPE have their use in
// the library; the signals of a crash (SEGV, ABRT and so on) are to be one.
SignalUse signal_use(int number);
// All that are not kNone.
std::vector<int> used_signals();

// Transitions. A row: state, event -> next state: what is to be done.
//
//   any      of kHandOn                          -> the same: hand on
//   calm     of kEnd                             -> ending: end in order
//   ending   within kSettle of the first one     -> ending: nothing
//   ending   INT, TERM or QUIT, later            -> now: end at once
//   ending   any other of kEnd                   -> ending: nothing
//   now      INT, TERM or QUIT                   -> now: end at once (the first try may have been blocked)
//   now      any other of kEnd                   -> now: nothing
//
// What signals a process and its group, as timeout(1) and a shell whose terminal is closed do, reaches us
// twice within a millisecond and means it once. HUP never insists, and neither do the signals of timers and
// limits, which come again by themselves.
class Escalation {
 public:
  using Clock = std::chrono::steady_clock;
  enum class Action : std::uint8_t { kNothing, kHandOn, kEndInOrder, kEndNow };

  // How long after the first signal another one is taken for the same wish.
  static constexpr std::chrono::milliseconds kSettle{500};

  Action on(int number, Clock::time_point when);

 private:
  std::optional<Clock::time_point> first_;
  bool now_ = false;
};

}  // namespace hostmesh::cli
