// A plugin as SDK version 1 built it: options, output of its own, and commands run by the host.
#include "hostmesh/plugin/sdk.hpp"

static_assert(HOSTMESH_ABI_VERSION == 1, "these are not the headers of version 1");
static_assert(sizeof(hostmesh_host_table) == 104 && sizeof(hostmesh_plugin_table) == 72);

namespace {

using namespace hostmesh::plugin;

class SdkV1 : public CommandLauncher {
 public:
  static Description describe() {
    return {.capabilities = {Capability::kSignal, Capability::kOutput, Capability::kExitStatus},
            .options = {{.key = "greeting", .default_value = "hello from version 1", .doc = "what to say"}},
            .summary = "built with SDK version 1"};
  }
  SdkV1(const Config& config, const Host& host) : CommandLauncher(host), greeting_(config.text("greeting")) {}

  Command command(const LaunchRequest& request) override {
    return {.argv = request.argv,
            .environment = request.environment,
            .working_directory = request.working_directory,
            .stdin_payload = request.stdin_payload,
            .stdin_use = request.stdin_use};
  }
  // Without a command: reported by the plugin itself.
  void launch(const LaunchRequest& request) override {
    if (request.argv.front() != "greet") return CommandLauncher::launch(request);
    host().launched(request.id, 0, "version_1");
    host().output(request.id, Stream::kStdout,
                  {reinterpret_cast<const std::uint8_t*>(greeting_.data()), greeting_.size()});
    host().exited(request.id, 1);
  }

 private:
  const std::string greeting_;
};

}  // namespace

HOSTMESH_PLUGIN(SdkV1, "sdk_v1_cpp", "1.0.0")
