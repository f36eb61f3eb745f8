// Who is below this process: orphaned descendants are handed to the nearest subreaper, so a program that
// declares itself one sees all of its descendants as children in the end, whatever they did (setsid, double
// fork).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// For the whole process and until it ends. Its children do not inherit the role.
Result<> become_subreaper();

// The role for as long as one of these exists in the process, or longer where the process had it before. Any
// thread.
class SubreaperRole {
 public:
  SubreaperRole();
  ~SubreaperRole();
  SubreaperRole(const SubreaperRole&) = delete;
  SubreaperRole& operator=(const SubreaperRole&) = delete;
};

struct Child {
  pid_t pid = 0;
  // Listed under the main thread: launched there, or an orphan that was given to us; orphans are nowhere
  // else. True for all where the kernel does not list children by thread.
  bool of_main_thread = true;
};

// Returns the children of this process, zombies included. A snapshot: a process that is being adopted
// meanwhile may be missing. Where /proc cannot be read, for want of a descriptor or because it is not mounted
// for this pid name space, the kernel is asked about every process number instead, which may take seconds.
std::vector<Child> children_of_this_process();

// True when that is a child of this process, living or dead. Needs no descriptor and no /proc.
bool is_child_of_this_process(pid_t pid);

// True when this process has a child, living or dead, of whichever thread. Needs no descriptor and no /proc.
bool has_children();
// The same for living children that were given to the main thread: the orphans, where no other code starts
// processes on it. To be called on the main thread.
bool has_living_orphans();
// The same for those of one process group, on any thread.
bool has_living_orphans(pid_t group);

struct Orphan {
  pid_t pid = 0;     // 0: it is for all that there may be
  pid_t group = 0;   // 0: it could not be read
  std::string name;  // as in ProcessStat, or what is known instead
};
// Returns the living children that were given to this process, all or those of one process group; with them
// those that other code has started on the main thread. Where they cannot be listed one stands for all.
std::vector<Orphan> living_orphans(std::optional<pid_t> group = std::nullopt);

// Finds children without /proc and without a descriptor, by asking the kernel about one process number after
// the other: first those near that of this process, again and again while there are some, then all others.
class ChildSearch {
 public:
  ChildSearch();
  // Remembers how many process numbers there are, which can be read while there are descriptors. Once is
  // enough.
  static void prepare();

  // Looks on from where the last call ended, until one has been found; one that forks and exits without end
  // is to be killed at once, before it is another. Nothing: none was found among as many numbers as there
  // are.
  std::optional<pid_t> next();
  // True when all numbers have been asked about since the last find.
  bool has_come_round() const { return quiet_ >= end_; }

 private:
  pid_t number(pid_t place) const;

  const pid_t self_;
  const pid_t end_;    // the numbers are below that
  const pid_t above_;  // so many from that of this process on are near,
  const pid_t below_;  // and so many below it
  pid_t place_ = 0;
  pid_t quiet_ = 0;  // asked about since the last find
  bool has_found_near_ = false;
};

// What /proc/PID/stat says of a process, dead or alive.
struct ProcessStat {
  std::string name;  // at most 15 bytes, as the program has set it
  char state = '?';
  pid_t parent = 0;
  pid_t group = 0;
  pid_t session = 0;
};
// Nothing when it cannot be read: see read_proc_file().
std::optional<ProcessStat> read_process_stat(pid_t pid);

// The whole of a file in /proc, or nothing with errno set when it cannot be read, which happens whenever its
// process ends.
std::optional<std::string> read_proc_file(const std::string& path);

}  // namespace hostmesh
