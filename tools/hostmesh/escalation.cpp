#include "escalation.hpp"

#include <csignal>

namespace hostmesh::cli {

namespace {

bool insists(int number) {
  return number == SIGINT || number == SIGTERM || number == SIGQUIT;
}

}  // namespace

SignalUse signal_use(int number) {
  switch (number) {
    case SIGINT:
    case SIGTERM:
    case SIGHUP:
    case SIGQUIT:
    case SIGALRM:
    case SIGVTALRM:
    case SIGPROF:
    case SIGXCPU:
    case SIGXFSZ:
    case SIGPOLL:
    case SIGPWR:
    case SIGSTKFLT:
      return SignalUse::kEnd;
    case SIGUSR1:
    case SIGUSR2:
    case SIGWINCH:
    case SIGCONT:
    case SIGURG:
      return SignalUse::kHandOn;
    default:
      return number >= SIGRTMIN && number <= SIGRTMAX ? SignalUse::kHandOn : SignalUse::kNone;
  }
}

std::vector<int> used_signals() {
  std::vector<int> numbers;
  for (int number = 1; number <= SIGRTMAX; ++number) {
    if (signal_use(number) != SignalUse::kNone) numbers.push_back(number);
  }
  return numbers;
}

Escalation::Action Escalation::on(int number, Clock::time_point when) {
  switch (signal_use(number)) {
    case SignalUse::kNone:
      return Action::kNothing;
    case SignalUse::kHandOn:
      return Action::kHandOn;
    case SignalUse::kEnd:
      break;
  }
  if (!first_) {
    first_ = when;
    return Action::kEndInOrder;
  }
  if (!insists(number) || (!now_ && when - *first_ < kSettle)) return Action::kNothing;
  now_ = true;
  return Action::kEndNow;
}

}  // namespace hostmesh::cli
