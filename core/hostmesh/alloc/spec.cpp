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

Result<> validate_ranks(const Extent& extent, std::string_view of_what) {
  const std::string what = std::string(of_what) + " of " + extent.text();
  if (extent.num_ranks() == 0) return Error(Cause::kInvalidArgument, what + " has no ranks");
  if (extent.num_ranks() > kMostRanks) {
    return Error(Cause::kInvalidArgument, what + " has " + std::to_string(extent.num_ranks()) +
                                              " ranks; at most " + std::to_string(kMostRanks) + " can be");
  }
  return {};
}

Result<> validate(const AllocSpec& spec) {
  if (auto valid = validate_ranks(spec.extent, "an allocation"); !valid) return valid;
  if (spec.proc_name && !is_identifier(*spec.proc_name)) {
    return Error(Cause::kInvalidArgument, "'" + *spec.proc_name +
                                              "' cannot be the name of a proc: letters, digits and "
                                              "underscores, not starting with a digit");
  }
  return {};
}

}  // namespace hostmesh
