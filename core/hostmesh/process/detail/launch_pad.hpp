// LaunchPad: what a thread that launches again and again keeps between launches.
//
// A stack for the child, which would otherwise be mapped and unmapped each time. And, when asked for, low
// descriptor numbers for the child's ends of its pipes: a new child gets a copy of all descriptors below its
// highest one and closes most of them again, so with thousands of descriptors open, and the newest among the
// highest, every launch would cost more than the one before.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/process/detail/vfork_child.hpp"

namespace hostmesh::detail {

// One thread at a time.
class LaunchPad {
 public:
  enum class Numbers {
    kAny,
    kLow,  // reserved from here on: make it while few descriptors are open
  };
  explicit LaunchPad(Numbers numbers);
  ~LaunchPad();
  LaunchPad(const LaunchPad&) = delete;
  LaunchPad& operator=(const LaunchPad&) = delete;

  // Null when there was no memory for it.
  void* stack_top() const;
  // Gives the first sources a second, lower number where there is one, until take_back().
  void lend(std::span<DescriptorMove> moves);
  void take_back();

  // close_range was refused to a child, so that the next one gets a copy of all descriptors.
  bool copies_descriptors = false;

 private:
  static constexpr std::size_t kGuard = 64 * 1024;  // a page on every architecture
  static constexpr std::size_t kStack = kGuard + 64 * 1024;

  void* stack_;
  std::array<UniqueFd, 3> numbers_;  // each is /dev/null when it is not lent
  std::size_t lent_ = 0;
};

}  // namespace hostmesh::detail
