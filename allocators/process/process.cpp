// The allocator `process`: every launch is a child of this process, on this machine.
#include "hostmesh/plugin/sdk.hpp"

namespace {

using hostmesh::plugin::Capability;
using hostmesh::plugin::Command;
using hostmesh::plugin::Config;
using hostmesh::plugin::Host;
using hostmesh::plugin::LaunchRequest;

class ProcessLauncher : public hostmesh::plugin::CommandLauncher {
 public:
  static hostmesh::plugin::Description describe() {
    return {
        .capabilities = {Capability::kSignal, Capability::kSameMachine, Capability::kOutput,
                         Capability::kExitStatus, Capability::kLifeline},
        .summary = "children of this process, on this machine",
    };
  }

  ProcessLauncher(const Config&, const Host& host) : CommandLauncher(host) {}

  Command command(const LaunchRequest& request) override {
    return {.argv = request.argv,
            .environment = request.environment,
            .working_directory = request.working_directory,
            .stdin_payload = request.stdin_payload,
            .stdin_use = request.stdin_use};
  }
};

}  // namespace

HOSTMESH_PLUGIN(ProcessLauncher, "process", "1.0.0")
