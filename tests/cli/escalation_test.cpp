#include "escalation.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <utility>
#include <vector>

namespace hostmesh::cli {
namespace {

using namespace std::chrono_literals;
using Action = Escalation::Action;

// One that comes so long after the first.
struct Sent {
  int number;
  std::chrono::milliseconds after;
  Action expected;
};

struct Story {
  std::string what;
  std::vector<Sent> signals;
};

TEST(Escalation, EachStoryOfSignalsEndsAsTheTableSays) {
  const std::vector<Story> stories{
      {"one ends in order", {{SIGINT, 0ms, Action::kEndInOrder}}},
      {"timeout(1): the process, then its group",
       {{SIGTERM, 0ms, Action::kEndInOrder}, {SIGTERM, 1ms, Action::kNothing}}},
      {"a terminal that is closed: from the shell, then from the kernel",
       {{SIGHUP, 0ms, Action::kEndInOrder}, {SIGHUP, 1ms, Action::kNothing}, {SIGHUP, 1h, Action::kNothing}}},
      {"a wrapper that forwards what the terminal has sent",
       {{SIGINT, 0ms, Action::kEndInOrder}, {SIGTERM, 20ms, Action::kNothing}}},
      {"just before and just at the border",
       {{SIGINT, 0ms, Action::kEndInOrder},
        {SIGINT, 499ms, Action::kNothing},
        {SIGINT, 500ms, Action::kEndNow}}},
      {"the time counts from the first one, so that whoever keeps on pressing is heard",
       {{SIGINT, 0ms, Action::kEndInOrder},
        {SIGINT, 300ms, Action::kNothing},
        {SIGINT, 600ms, Action::kEndNow},
        {SIGINT, 601ms, Action::kEndNow}}},
      {"HUP never insists, and others do so after it",
       {{SIGHUP, 0ms, Action::kEndInOrder},
        {SIGHUP, 10s, Action::kNothing},
        {SIGTERM, 11s, Action::kEndNow}}},
      {"HUP does not insist after others, even when it is too late for anything else",
       {{SIGINT, 0ms, Action::kEndInOrder}, {SIGQUIT, 2s, Action::kEndNow}, {SIGHUP, 3s, Action::kNothing}}},
      {"a timer that goes off again",
       {{SIGALRM, 0ms, Action::kEndInOrder},
        {SIGALRM, 1s, Action::kNothing},
        {SIGXCPU, 2s, Action::kNothing}}},
      {"what is handed on neither ends the run nor counts as the first one",
       {{SIGUSR1, 0ms, Action::kHandOn},
        {SIGUSR2, 1s, Action::kHandOn},
        {SIGTERM, 2s, Action::kEndInOrder},
        {SIGUSR1, 3s, Action::kHandOn},
        {SIGTERM, 4s, Action::kEndNow}}},
  };

  for (const Story& story : stories) {
    Escalation escalation;
    const auto start = Escalation::Clock::time_point(1h);
    for (std::size_t i = 0; i < story.signals.size(); ++i) {
      const Sent& sent = story.signals[i];
      EXPECT_EQ(escalation.on(sent.number, start + sent.after), sent.expected)
          << story.what << ", signal " << i << " of it";
    }
  }
}

TEST(SignalUse, WhateverWouldEndAProgramEndsTheRunAndTheRestIsForTheCommands) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM, SIGVTALRM, SIGPROF, SIGXCPU, SIGXFSZ,
                           SIGPOLL, SIGPWR, SIGSTKFLT}) {
    EXPECT_EQ(signal_use(number), SignalUse::kEnd) << number;
  }
  for (const int number : {SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGURG, SIGRTMIN, SIGRTMIN + 7, SIGRTMAX}) {
    EXPECT_EQ(signal_use(number), SignalUse::kHandOn) << number;
  }
  // Of the C library's own, those between the last standard one and SIGRTMIN, nothing is known.
  for (const int number : {SIGKILL, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGCHLD, SIGPIPE, SIGSEGV, SIGBUS,
                           SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS, 32, 33, 0, -1, SIGRTMAX + 1}) {
    EXPECT_EQ(signal_use(number), SignalUse::kNone) << number;
  }
}

TEST(SignalUse, TheListHasEachOnce) {
  int count = 0;
  for (const int number : used_signals()) {
    EXPECT_NE(signal_use(number), SignalUse::kNone) << number;
    ++count;
  }
  EXPECT_EQ(count, 12 + 5 + (SIGRTMAX - SIGRTMIN + 1));
}

}  // namespace
}  // namespace hostmesh::cli
