// EarlyWords: what was heard of a launch that has not begun yet, such as a login that hangs. A launcher that
// can tell is this as well.
#pragma once

#include <string>
#include <vector>

#include "hostmesh/process/child_launcher.hpp"

namespace hostmesh {

class EarlyWords {
 public:
  virtual ~EarlyWords() = default;
  // The last lines, oldest first; none for a launch that has begun, has ended, or is not known. Reactor
  // thread only.
  virtual std::vector<std::string> early_words(LaunchId id) const = 0;
};

}  // namespace hostmesh
