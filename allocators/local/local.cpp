// The allocator `local`: every launch is a proc inside this very process, without a program of its own.
#include "hostmesh/plugin/sdk.hpp"

namespace {

using hostmesh::plugin::Capability;

class LocalLauncher : public hostmesh::plugin::LocalProcLauncher {
 public:
  static hostmesh::plugin::Description describe() {
    return {.capabilities = {Capability::kSignal, Capability::kLocalProcs, Capability::kExitStatus,
                             Capability::kLifeline},
            .summary = "procs inside this process"};
  }

  LocalLauncher(const hostmesh::plugin::Config&, const hostmesh::plugin::Host& host)
      : LocalProcLauncher(host) {}
};

}  // namespace

HOSTMESH_PLUGIN(LocalLauncher, "local", "1.0.0")
