#include "hostmesh/alloc/spec.hpp"

namespace hostmesh {

ChildTiming ChildTiming::from(const Config& config) {
  return {.launch = config.get(attribute::kLaunchTimeout),
          .hello = config.get(attribute::kHelloTimeout),
          .start = config.get(attribute::kStartTimeout),
          .heartbeat = config.get(attribute::kHeartbeatTimeout),
          .exit = config.get(attribute::kProcessExitTimeout),
          .kill = config.get(attribute::kKillTimeout)};
}

Result<> validate(const AllocSpec& spec) {
  if (spec.extent.num_ranks() == 0) {
    return Error(Cause::kInvalidArgument, "an allocation of " + spec.extent.text() + " has no ranks");
  }
  if (spec.proc_name && !is_identifier(*spec.proc_name)) {
    return Error(Cause::kInvalidArgument, "'" + *spec.proc_name +
                                              "' cannot be the name of a proc: letters, digits and "
                                              "underscores, not starting with a digit");
  }
  return {};
}

}  // namespace hostmesh
