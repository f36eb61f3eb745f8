// ChildRegistry: which children of this process have an owner that waits for them.
//
// A subreaper has two kinds of children: those it launched, whose owner wants their exit status, and orphans
// it was given. The kernel does not tell them apart, so launches are recorded here, and whoever collects
// orphans asks. One per program that collects orphans, made in main and handed down; nothing else needs one.
#pragma once

#include <sys/types.h>

#include <functional>
#include <mutex>
#include <unordered_set>
#include <vector>

namespace hostmesh {

// Any thread.
class ChildRegistry {
 public:
  // Around each launch: a child may be dead before its launcher knows its pid, and must not be taken for an
  // orphan meanwhile. end_launch takes the new pid, or 0 when there is none.
  void begin_launch();
  void end_launch(pid_t pid);
  // Runs `reap`, which takes the child away, and forgets the pid, as one step. Without a registered pid it
  // just runs.
  void release(pid_t pid, const std::function<void()>& reap);
  // A child of somebody who launches without this and waits for it himself, such as a plugin; begin_launch()
  // and end_launch(0) are around this. Kept apart from the others: between his reaping it and his saying so
  // its number may have become one of theirs.
  void add_foreign(pid_t pid);
  void remove_foreign(pid_t pid);

  enum class Standing {
    kOwned,      // somebody waits for it
    kUnowned,    // an orphan; `act` has run
    kUndecided,  // a launch is under way and it may be that one; ask again when_settled
  };
  // Runs `act` when the child has no owner; while it runs, no launch begins and no pid changes its meaning,
  // so it must be quick and not call back.
  Standing if_unowned(pid_t pid, const std::function<void()>& act);
  bool owns(pid_t pid) const;

  // Calls once no launch is under way: at once, or on the thread that ends the last one. Must only post.
  void when_settled(std::function<void()> call);

 private:
  mutable std::mutex mutex_;
  int launching_ = 0;
  std::unordered_set<pid_t> owned_;
  std::unordered_multiset<pid_t> foreign_;
  std::vector<std::function<void()>> waiting_;
};

}  // namespace hostmesh
