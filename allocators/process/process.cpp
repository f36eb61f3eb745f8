// The allocator `process`: every launch is a child of this process, on this machine.
#include "hostmesh/plugin/sdk.hpp"

namespace {

using hostmesh::plugin::Capability;
using hostmesh::plugin::Command;
using hostmesh::plugin::Config;
using hostmesh::plugin::Host;
using hostmesh::plugin::LaunchRequest;
using hostmesh::plugin::OptionType;
using hostmesh::plugin::Start;

Start parse_start(const std::string& text) {
  if (text == "exec") return Start::kExec;
  if (text == "fork-server") return Start::kForkServer;
  throw hostmesh::plugin::Error(hostmesh::plugin::Cause::kConfiguration,
                                "option 'start' is '" + text + "'; it can be exec or fork-server");
}

class ProcessLauncher : public hostmesh::plugin::CommandLauncher {
 public:
  static hostmesh::plugin::Description describe() {
    return {
        .capabilities = {Capability::kSignal, Capability::kSameMachine, Capability::kOutput,
                         Capability::kExitStatus, Capability::kLifeline},
        .options = {{.key = "start",
                     .type = OptionType::kString,
                     .default_value = "exec",
                     .doc = "exec: each child is a new program; fork-server: children are forked from one "
                            "that has been "
                            "started, which is several times faster"}},
        .summary = "children of this process, on this machine",
    };
  }

  ProcessLauncher(const Config& config, const Host& host)
      : CommandLauncher(host), start_(parse_start(config.text("start"))) {}

  Command command(const LaunchRequest& request) override {
    return {.argv = request.argv,
            .environment = request.environment,
            .working_directory = request.working_directory,
            .stdin_payload = request.stdin_payload,
            .stdin_use = request.stdin_use,
            .start = start_};
  }

 private:
  const Start start_;
};

}  // namespace

HOSTMESH_PLUGIN(ProcessLauncher, "process", "1.0.0")
