// Two processes, optionally on one CPU: where the scheduler puts them changes a round trip tenfold, so it is
// chosen.
#pragma once

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "measure.hpp"

namespace bench {

inline constexpr std::size_t kMessageBytes = 64;
inline constexpr int kWarmUp = 1000;  // messages before the clock is started

struct MessageOptions {
  std::string transport;  // "unix" or "tcp"
  bool one_way = false;   // or round trips
  int count = 0;
};

// PROGRAM unix|tcp roundtrip|oneway COUNT [CPU]
inline MessageOptions message_options(int argc, char** argv) {
  if (argc < 4) std::exit(2);
  if (argc > 4) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(std::atoi(argv[4]), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  return {.transport = argv[1], .one_way = std::string(argv[2]) == "oneway", .count = std::atoi(argv[3])};
}

// The child's pid, or 0 in it; it does not outlive its parent.
inline pid_t fork_peer() {
  const pid_t pid = ::fork();
  if (pid == 0) ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  return pid;
}

// Waits for the peer and prints the line that tools/bench reads.
inline void report(const MessageOptions& options, double ms, pid_t peer, double own_cpu_ms) {
  ::waitpid(peer, nullptr, 0);
  const double cpu = own_cpu_ms + cpu_ms(RUSAGE_CHILDREN);
  std::printf("us_per_message=%.4f cpu_us_per_message=%.4f\n", ms * 1e3 / options.count,
              cpu * 1e3 / options.count);
  std::fflush(stdout);
}

}  // namespace bench
