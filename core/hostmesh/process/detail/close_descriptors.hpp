// Closing all descriptors but a few, on every kernel and behind every seccomp profile.
#pragma once

#include <cstddef>

// Of what a child runs between clone and exec, in its parent's memory. Sanitizers keep shadow state in that
// memory, so nothing there may be instrumented, and system calls go around the wrappers that they intercept.
#define HOSTMESH_VFORK_CHILD __attribute__((no_sanitize("address", "thread", "undefined")))

namespace hostmesh::detail {

struct DescriptorRange {
  unsigned first;
  unsigned last;
};

// Whether a system call is unknown to the kernel, or to a filter in front of it: old kernels answer ENOSYS,
// and the profiles of older containers EPERM.
bool is_refused_call(int error);

// Closes what is open in `ranges`, which ascend: by close_range, or one by one where that is refused. False
// with errno set. Calls nothing but the kernel, so that a vfork child may call it.
bool close_ranges(const DescriptorRange* ranges, std::size_t count);

}  // namespace hostmesh::detail
