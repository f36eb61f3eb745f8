// Has the host run its commands, and reports their launch all the same.
#include "steps.hpp"

namespace {

using namespace faulty;

class ReportsWhatTheHostRuns : public hostmesh::plugin::CommandLauncher {
 public:
  static Description describe() { return Steps::describe(); }
  ReportsWhatTheHostRuns(const Config&, const Host& host) : CommandLauncher(host) {}

  hostmesh::plugin::Command command(const LaunchRequest& request) override {
    return {.argv = request.argv,
            .environment = request.environment,
            .working_directory = request.working_directory,
            .stdin_payload = request.stdin_payload,
            .stdin_use = request.stdin_use};
  }
  void launch(const LaunchRequest& request) override {
    CommandLauncher::launch(request);
    host().launched(request.id, 0, "somewhere");
  }
};

}  // namespace

HOSTMESH_PLUGIN(ReportsWhatTheHostRuns, FAULT_NAME, "1.0.0")
