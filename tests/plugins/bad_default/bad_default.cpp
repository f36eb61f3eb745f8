// Declares a default that is not of the option's type.
#include "hostmesh/plugin/sdk.hpp"

namespace {

using namespace hostmesh::plugin;

class BadDefault : public CommandLauncher {
 public:
  static Description describe() {
    return {.options = {{.key = "count", .type = OptionType::kInteger, .default_value = "many"}}};
  }
  BadDefault(const Config&, const Host& host) : CommandLauncher(host) {}
  Command command(const LaunchRequest&) override { return {}; }
};

}  // namespace

HOSTMESH_PLUGIN(BadDefault, "bad_default", "0.1")
