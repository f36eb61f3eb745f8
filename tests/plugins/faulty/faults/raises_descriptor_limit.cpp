// Has the host run each command with a limit on descriptors that nobody has asked for.
#include <filesystem>

#include "launcher.hpp"

namespace {

using hostmesh::plugin::Command;
using hostmesh::plugin::CommandLauncher;
using hostmesh::plugin::LaunchRequest;

class RaisesDescriptorLimit : public CommandLauncher {
 public:
  static hostmesh::plugin::Description describe() { return faulty::Steps::describe(); }
  RaisesDescriptorLimit(const hostmesh::plugin::Config&, const hostmesh::plugin::Host& host)
      : CommandLauncher(host) {}

  Command command(const LaunchRequest& request) override {
    Command command{.argv = request.argv,
                    .environment = request.environment,
                    .working_directory = request.working_directory,
                    .stdin_payload = request.stdin_payload,
                    .stdin_use = request.stdin_use};
    if (std::filesystem::exists(request.argv.front())) {
      command.argv.insert(command.argv.begin(), {"prlimit", "--nofile=600:"});
    }
    return command;
  }
};

}  // namespace

HOSTMESH_PLUGIN(RaisesDescriptorLimit, FAULT_NAME, "1.0.0")
