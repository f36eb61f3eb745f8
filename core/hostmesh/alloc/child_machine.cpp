#include "hostmesh/alloc/child_machine.hpp"

#include <algorithm>
#include <csignal>
#include <utility>

namespace hostmesh {

// Transitions. Each row: phase, event -> next phase: actions. What is not listed is ignored.
//
// clang-format off
//   any        carried           -> the same: what says watchdog below for silence says host watchdog
//   Launching  waiting           -> Waiting: no deadline
//   Waiting    placed            -> Launching: deadline launch
//   In the rows of Launching, which hold for Waiting as well:
//   Launching  launched          -> Created: created; deadline hello    (plain -> Running: created, running)
//   Launching  launched, after stop or kill
//                                -> Stopping: created; after kill KILL again; the escalation goes on
//   Launching  launch_failed     -> Stopped: failed                     (after a Hello: send_stop, failed)
//   Launching  deadline          -> Stopped: lifeline closed, KILL, failed; KILL again should it appear later
//   Launching  stop              -> Launching: lifeline closed, TERM; deadline kill  (after a Hello: send_stop)
//   Launching  kill, violated    -> Launching: lifeline closed, KILL; deadline kill
//   Launching  deadline, after stop or kill
//                                -> next step: graceful -> TERM -> KILL -> Stopped: failed, given up
//   Launching  hello, disconnected
//                                -> Launching: kept, and done right after `created` as if it came then,
//                                   because a child can be quicker than the launcher's report of it
//   Created    hello             -> Connected: send_start; deadline start
//   Created    deadline          -> Stopping: watchdog; KILL
//   Connected  started           -> Running: running; deadline heartbeat
//   any other up to Running  started -> as violated                     (plain: ignored)
//   Connected  deadline          -> Stopping: watchdog; KILL
//   Running    deadline          -> Stopping: watchdog; KILL              (silent for the heartbeat time)
//   Created..Running  disconnected -> Stopping: deadline exit, then TERM, KILL
//   Created..Running  violated   -> Stopping: watchdog; KILL
//   Created    stop              -> Stopping: lifeline closed, TERM; deadline kill
//   Connected, Running  stop     -> Stopping: send_stop; deadline exit    (plain: TERM; deadline kill)
//   Stopping   hello             -> Stopping: send_stop                   (stop is a level)
//   Stopping   deadline          -> next step: graceful -> TERM -> KILL -> Stopped, given up
//   any but Stopped  kill        -> Stopping: KILL; deadline kill
//   any but Stopped  exited      -> Stopped: stopped(first known reason)
// clang-format on

namespace {

std::string within(std::string_view what, Duration limit) {
  return std::string(what) + " within " + to_string(limit);
}

}  // namespace

std::string_view to_string(ChildPhase phase) {
  switch (phase) {
    case ChildPhase::kWaiting:
      return "queue";
    case ChildPhase::kLaunching:
      return "launch";
    case ChildPhase::kCreated:
      return "hello";
    case ChildPhase::kConnected:
      return "start";
    case ChildPhase::kRunning:
      return "run";
    case ChildPhase::kStopping:
      return "stop";
    case ChildPhase::kStopped:
      return "stopped";
  }
  return "unknown";
}

ChildMachine::ChildMachine(ChildKind kind, ChildTiming timing, ChildActions& actions, TimePoint now)
    : kind_(kind), timing_(timing), actions_(actions), deadline_(Deadline::after(timing.launch, now)) {}

void ChildMachine::waiting() {
  if (phase_ != ChildPhase::kLaunching) return;
  phase_ = ChildPhase::kWaiting;
  if (step_ == Step::kNone) deadline_ = Deadline::never();
}

void ChildMachine::placed(TimePoint now) {
  if (phase_ != ChildPhase::kWaiting) return;
  phase_ = ChildPhase::kLaunching;
  if (step_ == Step::kNone) deadline_ = Deadline::after(timing_.launch, now);
}

void ChildMachine::launched(TimePoint now) {
  if (ended()) {  // it had been given up
    actions_.close_lifeline();
    actions_.signal(SIGKILL);
    return;
  }
  if (!is_launching()) return;
  if (step_ != Step::kNone) {
    enter_stopping();
    actions_.created();
    // The launcher has been told; its child ends, or the next step comes. After KILL there is none, and a
    // launcher that knows nothing of signals before its launch has dropped it.
    if (step_ == Step::kKill) {
      actions_.close_lifeline();
      actions_.signal(SIGKILL);
    }
    return;
  }
  phase_ = ChildPhase::kCreated;
  deadline_ = Deadline::after(timing_.hello, now);
  actions_.created();
  if (!disconnect_reason_.empty()) {
    await_exit(now);
  } else if (kind_ == ChildKind::kPlain) {
    phase_ = ChildPhase::kRunning;
    deadline_ = Deadline::never();
    actions_.running();
  } else if (connected_) {
    become_connected(now);
  }
}

void ChildMachine::launch_failed(const Error& error) {
  if (ended()) return;
  if (!is_launching()) {  // lost while it ran: the launcher will not tell how it ends
    // It may be alive all the same.
    actions_.close_lifeline();
    actions_.signal(SIGKILL);
    StopReason reason;
    // It was seen by way of its host, which is gone.
    if (error.cause() == Cause::kPeerGone) reason.kind = StopReason::Kind::kHostWatchdog;
    reason.detail = error.text();
    end(std::move(reason));
    return;
  }
  phase_ = ChildPhase::kStopped;
  deadline_ = Deadline::never();
  if (connected_ && step_ == Step::kNone) actions_.send_stop();  // there is a child after all
  actions_.failed(error);
}

void ChildMachine::exited(const ExitStatus& status) {
  if (ended()) return;
  if (is_launching()) actions_.created();  // it came and went in one report
  end(StopReason::from(status));
}

bool ChildMachine::hello(TimePoint now) {
  if (kind_ == ChildKind::kPlain || connected_ || ended()) return false;
  connected_ = true;
  if (step_ != Step::kNone) {
    actions_.send_stop();
  } else if (phase_ == ChildPhase::kCreated) {
    become_connected(now);
  }
  return true;
}

void ChildMachine::started(TimePoint now) {
  if (kind_ == ChildKind::kPlain || is_ending()) return;
  if (phase_ != ChildPhase::kConnected) {
    violated(
        phase_ == ChildPhase::kRunning ? "it said StartedProc twice" : "it said StartedProc before StartProc",
        now);
    return;
  }
  phase_ = ChildPhase::kRunning;
  heard(now);
  actions_.running();
}

void ChildMachine::heard(TimePoint now) {
  if (phase_ != ChildPhase::kRunning || kind_ == ChildKind::kPlain) return;
  const bool watched = timing_.heartbeat > Duration::zero();
  deadline_ = watched ? Deadline::after(timing_.heartbeat, now) : Deadline::never();
}

void ChildMachine::disconnected(std::string_view why, TimePoint now) {
  if (is_ending()) return;
  disconnect_reason_ = "it closed its connection (" + std::string(why) + ") and did not exit";
  if (!is_launching()) await_exit(now);
}

void ChildMachine::violated(std::string_view how, TimePoint now) {
  if (is_ending()) return;
  presume(StopReason::Kind::kWatchdog, "it broke the protocol: " + std::string(how));
  kill(now);
}

void ChildMachine::stop(TimePoint now, std::optional<Duration> grace) {
  if (ended()) return;
  if (step_ != Step::kNone) {
    // Already on its way; a shorter grace still counts.
    if (grace && step_ != Step::kKill) deadline_ = deadline_.and_no_later_than(Deadline::after(*grace, now));
    return;
  }
  if (!is_launching()) enter_stopping();
  ask_to_exit(now, grace);
}

void ChildMachine::kill(TimePoint now) {
  if (ended() || step_ == Step::kKill) return;
  if (!is_launching()) enter_stopping();
  send_kill(now);
}

void ChildMachine::deadline_passed(TimePoint now) {
  if (!deadline_.passed(now)) return;
  switch (phase_) {
    case ChildPhase::kWaiting:
    case ChildPhase::kLaunching:
      if (step_ != Step::kNone) return next_step(now);
      // Whatever is on its way to becoming the child, such as the login of a client, ends as well.
      actions_.close_lifeline();
      actions_.signal(SIGKILL);
      launch_failed(
          Error(ErrorInfo{.cause = Cause::kTimeout,
                          .message = within("the process was not started", timing_.launch),
                          .phase = "launch",
                          .hint = "a longer LAUNCH_TIMEOUT, or --timeout, if starting it takes so long"}));
      return;
    case ChildPhase::kCreated:
      presume(silence(), within("it did not say Hello", timing_.hello));
      enter_stopping();
      send_kill(now);
      return;
    case ChildPhase::kConnected:
      presume(silence(), within("it said Hello but did not start its proc", timing_.start));
      enter_stopping();
      send_kill(now);
      return;
    case ChildPhase::kRunning:
      presume(silence(), "it gave no sign of life for " + to_string(timing_.heartbeat) +
                             (carried_ ? ": frozen, off or cut off" : ""));
      enter_stopping();
      send_kill(now);
      return;
    case ChildPhase::kStopping:
      next_step(now);
      return;
    case ChildPhase::kStopped:
      return;
  }
}

// Goes one step further than what the child, or its launch, did not answer in time.
void ChildMachine::next_step(TimePoint now) {
  if (step_ == Step::kGraceful) {
    if (disconnect_reason_.empty()) {
      presume(silence(), within("it was told to stop and did not exit", timing_.exit));
    } else {
      presume(StopReason::Kind::kWatchdog, within(disconnect_reason_, timing_.exit));
    }
    send_term(now);
  } else if (step_ == Step::kTerm) {
    send_kill(now);
  } else if (is_launching()) {
    launch_failed(Error(
        ErrorInfo{.cause = Cause::kCancelled,
                  .message = presumed_ ? presumed_->detail
                                       : within("the launch was cancelled and did not end", timing_.kill),
                  .phase = "launch"}));
  } else {
    const std::string detail = within("it was sent SIGKILL and did not end", timing_.kill);
    presume(StopReason::Kind::kWatchdog, detail);
    if (presumed_->detail != detail) presumed_->detail += "; " + detail;
    end({});
  }
}

bool ChildMachine::is_ending() const {
  return ended() || phase_ == ChildPhase::kStopping || step_ != Step::kNone;
}

StopReason::Kind ChildMachine::silence() const {
  return carried_ ? StopReason::Kind::kHostWatchdog : StopReason::Kind::kWatchdog;
}

void ChildMachine::become_connected(TimePoint now) {
  phase_ = ChildPhase::kConnected;
  deadline_ = Deadline::after(timing_.start, now);
  actions_.send_start();
}

// Its connection ends just before its process does; only if the process stays is that the reason.
void ChildMachine::await_exit(TimePoint now) {
  enter_stopping();
  step_ = Step::kGraceful;
  deadline_ = Deadline::after(timing_.exit, now);
  actions_.close_lifeline();
}

void ChildMachine::enter_stopping() {
  phase_ = ChildPhase::kStopping;
}

void ChildMachine::ask_to_exit(TimePoint now, std::optional<Duration> grace) {
  if (!connected_ || !disconnect_reason_.empty()) {  // it cannot be asked in words
    send_term(now);
    if (grace) deadline_ = Deadline::after(*grace, now);
    return;
  }
  step_ = Step::kGraceful;
  deadline_ = Deadline::after(grace.value_or(timing_.exit), now);
  actions_.send_stop();
}

void ChildMachine::send_term(TimePoint now) {
  step_ = Step::kTerm;
  deadline_ = Deadline::after(timing_.kill, now);
  actions_.close_lifeline();
  actions_.signal(SIGTERM);
}

void ChildMachine::send_kill(TimePoint now) {
  step_ = Step::kKill;
  deadline_ = Deadline::after(timing_.kill, now);
  actions_.close_lifeline();
  actions_.signal(SIGKILL);
}

void ChildMachine::presume(StopReason::Kind kind, std::string detail) {
  if (presumed_) return;
  presumed_.emplace();
  presumed_->kind = kind;
  presumed_->detail = std::move(detail);
}

void ChildMachine::end(StopReason reason) {
  if (presumed_) {  // the first reason wins; what the status adds is kept
    presumed_->code = reason.code;
    presumed_->signal = reason.signal;
    presumed_->core_dumped = reason.core_dumped;
    presumed_->left_behind = std::move(reason.left_behind);
    reason = *std::move(presumed_);
  }
  phase_ = ChildPhase::kStopped;
  deadline_ = Deadline::never();
  actions_.stopped(reason);
}

}  // namespace hostmesh
