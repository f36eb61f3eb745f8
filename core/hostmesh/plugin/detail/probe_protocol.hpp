// What plugin-probe writes to its descriptor 3: one byte before each step. Shared with tools/plugin_probe.
#pragma once

namespace hostmesh::detail {

inline constexpr int kProbeDescriptor = 3;

enum class ProbeStep : char {
  kLoading = 'l',     // its constructors run
  kEntering = 'e',    // in its entry point
  kDescribing = 'd',  // it says what it is
  kDone = '.',        // as far as it got it has survived, whatever the outcome
};

}  // namespace hostmesh::detail
