#include "hostmesh/process/rlimit.hpp"

#include <sys/resource.h>

#include <cerrno>

namespace hostmesh {

Result<std::uint64_t> raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return os_error(Cause::kIo, "read RLIMIT_NOFILE", errno);
  const std::uint64_t former = limit.rlim_cur;
  if (limit.rlim_cur == limit.rlim_max) return former;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return os_error(Cause::kIo, "raise RLIMIT_NOFILE", errno);
  return former;
}

}  // namespace hostmesh
