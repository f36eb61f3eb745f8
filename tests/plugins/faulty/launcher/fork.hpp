// Starts one child: fork, and in it nothing but what is allowed between fork and exec.
#pragma once

#include <string>

#include "steps.hpp"

namespace faulty {

struct Started {
  Child child;
  std::string failure;  // what could not be done, when it was not started
  int os_error = 0;
};

// Blocks until the program runs, or cannot.
Started fork_child(const LaunchRequest& request, const Setup& setup);

}  // namespace faulty
