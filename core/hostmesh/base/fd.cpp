#include "hostmesh/base/fd.hpp"

#include <unistd.h>

namespace hostmesh {

void UniqueFd::reset(int fd) {
  // close() is never retried: on Linux the descriptor is gone whatever it returns.
  if (fd_ >= 0) ::close(fd_);
  fd_ = fd;
}

}  // namespace hostmesh
