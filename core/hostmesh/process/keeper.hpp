// The keeper: a small process above one that starts others. It is their subreaper, so that whatever they
// leave, even when all of them are killed in the same instant, is handed to it; it kills that, and only then
// ends, as the kept process did.
#pragma once

#include <sys/types.h>

#include <csignal>
#include <string>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// To be made while the process has one thread and no child. It blocks signals, which the kept process gets
// instead.
class Keeper {
 public:
  // What is typed at a terminal goes to the whole foreground group by itself. kApart: the kept process leads
  // a group of its own, so that all signals are passed on.
  enum class Group : std::uint8_t { kShared, kApart };

  explicit Keeper(Group group);

  // Starts `file`, which is searched in PATH when it has no '/'. It gets `death_signal` when this process
  // dies.
  Result<> start(const char* file, char* const* argv, char* const* environment, int death_signal);
  // Passes signals on until the kept process has ended, kills what is left, and ends in the same way.
  [[noreturn]] void keep();

 private:
  bool reap(siginfo_t& end) const;

  const Group group_;
  sigset_t awaited_;
  sigset_t former_;
  void (*child_ended_)(int) = nullptr;  // the former disposition of SIGCHLD
  pid_t kept_ = 0;
};

// Kills all children of this process, and what they leave to it, until the kernel says that there is nothing;
// one that does not die is named on stderr after ten seconds. For a process that is about to end: it takes
// away children that others wait for.
void kill_all_children();

}  // namespace hostmesh
