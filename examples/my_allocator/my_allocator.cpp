// The allocator `my_allocator`: every launch is a process of this machine, run through `wrapper`, if any.
#include <hostmesh/plugin/sdk.hpp>

using namespace hostmesh::plugin;

namespace {

class MyAllocator : public CommandLauncher {
 public:
  static Description describe() {
    return {
        .capabilities = {Capability::kSignal, Capability::kSameMachine, Capability::kOutput,
                         Capability::kExitStatus, Capability::kLifeline},
        .options = {{.key = "wrapper",
                     .type = OptionType::kStringList,
                     .default_value = "",
                     .doc = "a command that runs the command given to it, such as [nice, -n, \"5\"]"}},
        .summary = "processes of this machine, run through a wrapper",
    };
  }

  MyAllocator(const Config& config, const Host& host)
      : CommandLauncher(host), wrapper_(config.list("wrapper")) {
    host.debug("my_allocator is ready");
  }

  Command command(const LaunchRequest& request) override {
    Command command{.argv = wrapper_,
                    .environment = request.environment,
                    .working_directory = request.working_directory,
                    .stdin_payload = request.stdin_payload,
                    .stdin_use = request.stdin_use};
    command.argv.insert(command.argv.end(), request.argv.begin(), request.argv.end());
    return command;
  }

 private:
  const std::vector<std::string> wrapper_;
};

}  // namespace

HOSTMESH_PLUGIN(MyAllocator, "my_allocator", "0.1.0")
