// The few instructions a child runs between clone and exec, in its parent's memory, while the parent's thread
// stands still. Everything is prepared by the parent: the child allocates nothing, takes no lock, and calls
// nothing but the kernel.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>

#include "hostmesh/process/detail/close_descriptors.hpp"

namespace hostmesh::detail {

// In the order in which the child takes them.
enum class LaunchStep : int {
  kNone,
  kUnshareDescriptors,
  kMoveDescriptors,
  kCloseDescriptors,
  kProcessGroup,
  kParentDeathSignal,
  kParentGone,
  kSignals,
  kWorkingDirectory,
  kDescriptorLimit,
  kExec,
};

struct DescriptorMove {
  int source;
  int target;
};

struct ChildPlan {
  const char* const* files = nullptr;  // tried in turn
  std::size_t file_count = 0;
  char* const* argv = nullptr;
  char* const* environment = nullptr;
  const char* working_directory = nullptr;  // or null
  bool may_stay = false;                    // where the working directory cannot be entered

  DescriptorMove* moves = nullptr;
  std::size_t move_count = 0;
  int highest_source = 0;
  int highest_target = 0;
  const DescriptorRange* closed = nullptr;  // all that no move targets
  std::size_t closed_count = 0;

  // False when the table of descriptors is still the parent's: cloned with CLONE_FILES.
  bool own_descriptors = false;
  bool own_group = true;
  int parent_death_signal = 0;  // or 0
  pid_t parent = 0;
  const rlimit* descriptor_limit = nullptr;  // or null

  // The answer; kNone when exec succeeded.
  LaunchStep failed = LaunchStep::kNone;
  int error = 0;
  int stayed = 0;  // errno of the working directory that was not entered, where that is no failure
};

// For clone(); `plan` is a ChildPlan. Returns never, or by leaving the process with code 127.
int run_vfork_child(void* plan);

}  // namespace hostmesh::detail
