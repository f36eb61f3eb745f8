// ChildMachine: the life of one launched child, from the wish to start it to its last word.
//
// Pure: events and the time come in, actions go out, nothing here waits, reads or writes. The same machine
// serves an allocation (client -> hosts) and a host (host -> its procs). Its rules: states move forward only
// and the last one is absorbing; whoever was Created is Stopped exactly once; Running is never said after
// Stopped; stop is a level, so that whoever says Hello after it is told to stop; the first reason that is
// known wins.
#pragma once

#include <optional>

#include "hostmesh/alloc/proc_state.hpp"
#include "hostmesh/alloc/spec.hpp"

namespace hostmesh {

enum class ChildPhase : std::uint8_t {
  kWaiting,  // in a queue of the launcher's, which the launch timeout does not bound
  kLaunching,
  kCreated,
  kConnected,
  kRunning,
  kStopping,
  kStopped
};
std::string_view to_string(ChildPhase phase);

enum class ChildKind : std::uint8_t {
  kProtocol,  // says Hello and is started
  kPlain,     // a command that speaks no protocol: running as soon as it exists
};

// What a machine does to the world. None of these may call back into the machine before returning.
class ChildActions {
 public:
  virtual ~ChildActions() = default;
  virtual void send_start() = 0;  // StartProc, over the connection that said Hello
  virtual void send_stop() = 0;   // StopAndExit(0), the same way
  virtual void close_lifeline() = 0;
  // To the child and its group. Before launched() it is for the launch: TERM and KILL cancel it.
  virtual void signal(int signal_number) = 0;
  virtual void created() = 0;
  virtual void running() = 0;
  virtual void stopped(const StopReason& reason) = 0;
  virtual void failed(const Error& error) = 0;  // instead of created: there never was a process
};

class ChildMachine {
 public:
  ChildMachine(ChildKind kind, ChildTiming timing, ChildActions& actions, TimePoint now);

  ChildPhase phase() const { return phase_; }
  bool ended() const { return phase_ == ChildPhase::kStopped; }
  bool is_carried() const { return carried_; }
  // When deadline_passed() is due; never while nothing is awaited.
  Deadline deadline() const { return deadline_; }

  // From the launcher. waiting() stops the clock of the launch, which placed() starts anew.
  void waiting();
  void placed(TimePoint now);
  void launched(TimePoint now);
  // It is reached through another process or a network, which lead to another machine: silence is no sign of
  // its own state.
  void carried() { carried_ = true; }
  void launch_failed(const Error& error);
  void exited(const ExitStatus& status);
  // From the connection. `hello` is false when this connection is not to be used: another one was first.
  bool hello(TimePoint now);
  void started(TimePoint now);
  void heard(TimePoint now);  // any sign of life
  void disconnected(std::string_view why, TimePoint now);
  void violated(std::string_view how, TimePoint now);  // it spoke the protocol wrongly
  // From the owner. `grace` bounds how long it may take until it is forced (asked: until TERM, signalled:
  // until KILL); unset: the timing's.
  void stop(TimePoint now, std::optional<Duration> grace = std::nullopt);
  void kill(TimePoint now);
  // From the clock.
  void deadline_passed(TimePoint now);

 private:
  enum class Step : std::uint8_t { kNone, kGraceful, kTerm, kKill };

  bool is_launching() const { return phase_ <= ChildPhase::kLaunching; }
  bool is_ending() const;
  // What is presumed of a child that says nothing.
  StopReason::Kind silence() const;
  void become_connected(TimePoint now);
  void await_exit(TimePoint now);
  void enter_stopping();
  void next_step(TimePoint now);
  void ask_to_exit(TimePoint now, std::optional<Duration> grace);
  void send_term(TimePoint now);
  void send_kill(TimePoint now);
  void presume(StopReason::Kind kind, std::string detail);
  void end(StopReason reason);

  const ChildKind kind_;
  const ChildTiming timing_;
  ChildActions& actions_;
  ChildPhase phase_ = ChildPhase::kLaunching;
  Step step_ = Step::kNone;  // how far the escalation has come; it may begin while the launch is under way
  bool connected_ = false;
  bool carried_ = false;
  Deadline deadline_;
  std::string disconnect_reason_;
  std::optional<StopReason> presumed_;  // decided before the exit status was known
};

}  // namespace hostmesh
