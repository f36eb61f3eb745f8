// Cannot be created: its constructor throws what its option says.
#include <cerrno>
#include <system_error>

#include "hostmesh/plugin/sdk.hpp"

namespace {

using namespace hostmesh::plugin;

class ThrowsInCreate : public CommandLauncher {
 public:
  static Description describe() { return {.options = {{.key = "what", .default_value = "error"}}}; }
  ThrowsInCreate(const Config& config, const Host& host) : CommandLauncher(host) {
    if (config.text("what") == "int") throw 7;
    if (config.text("what") == "system")
      throw std::system_error(EACCES, std::generic_category(), "opening the door");
    if (config.text("what") == "undeclared") config.text("nothing");
    throw Error(Cause::kAuthentication, "the key does not fit");
  }
  Command command(const LaunchRequest&) override { return {}; }
};

}  // namespace

HOSTMESH_PLUGIN(ThrowsInCreate, "throws_in_create", "0.1")
