// A plugin that lets the host start its commands, and one of whose functions never returns.
#include <unistd.h>

#include "hostmesh/plugin/sdk.hpp"

namespace {

using namespace hostmesh::plugin;

[[noreturn]] void hang() {
  (void)!::write(STDERR_FILENO, "hangs\n", 6);
  for (;;) ::pause();
}

class Hangs : public CommandLauncher {
 public:
  static Description describe() {
    return {.options = {{.key = "in", .required = true, .doc = "The function that does not return."}},
            .summary = "Does not return."};
  }

  Hangs(const Config& config, const Host& host) : CommandLauncher(host), in_(config.text("in")) {
    if (in_ == "create") hang();
  }
  ~Hangs() override {
    if (in_ == "destroy") hang();
  }

  Command command(const LaunchRequest& request) override {
    if (in_ == "launch" && request.rank == 1) hang();
    return {.argv = request.argv,
            .environment = request.environment,
            .working_directory = request.working_directory,
            .stdin_payload = request.stdin_payload};
  }

 private:
  const std::string in_;
};

}  // namespace

HOSTMESH_PLUGIN(Hangs, "hangs", "1.0.0")
