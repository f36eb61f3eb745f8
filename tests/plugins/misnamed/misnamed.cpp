// Calls itself something else than its file does.
#include "hostmesh/plugin/sdk.hpp"

namespace {

using namespace hostmesh::plugin;

class Misnamed : public CommandLauncher {
 public:
  Misnamed(const Config&, const Host& host) : CommandLauncher(host) {}
  Command command(const LaunchRequest&) override { return {}; }
};

}  // namespace

HOSTMESH_PLUGIN(Misnamed, "somebody_else", "0.1")
