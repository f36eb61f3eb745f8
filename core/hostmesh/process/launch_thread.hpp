// LaunchThread: the one thread that does the blocking spawns of a Runtime.
//
// The reactor never waits for an exec (a slow network file system may take seconds), and the parent-death
// signal, which follows the spawning thread, has a thread that lives exactly as long as the Runtime that owns
// it.
#pragma once

#include <functional>
#include <memory>

#include "hostmesh/process/spawn.hpp"

namespace hostmesh {

class LaunchThread {
 public:
  using Done = std::function<void(Result<SpawnedProcess>)>;

  // The thread starts with the first launch(): most processes never launch anything. A launch for which there
  // is no thread fails with kResourceLimit, and the next one tries again.
  LaunchThread();
  // Answers what is queued with kCancelled, waits for the spawn under way, and ends the thread: children with
  // a parent_death_signal get it now.
  ~LaunchThread();
  LaunchThread(const LaunchThread&) = delete;
  LaunchThread& operator=(const LaunchThread&) = delete;

  // Any thread. Spawns in the order of the calls. `done` is called exactly once, on the launch thread, inside
  // this call, in close() or the destructor; it must only post (a SpawnedProcess is not copied: post it in a
  // shared_ptr; dropped unposted it is killed).
  void launch(SpawnRequest request, Done done);

  // Any thread, once. No spawn begins any more: what is queued, and whatever is asked later, is answered with
  // kCancelled. Returns true when no spawn is under way. Otherwise `closed` is called on the launch thread
  // when it has ended, and must only post. The thread itself lives on: children would die with it.
  bool close(std::function<void()> closed);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostmesh
