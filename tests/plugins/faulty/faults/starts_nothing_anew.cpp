// Refuses to start a rank anew.
#include "launcher.hpp"

namespace {

using namespace faulty;

class StartsNothingAnew : public Steps {
 public:
  void accept(const Host&, const LaunchRequest& request) override {
    if (request.incarnation == 0) return;
    throw hostmesh::plugin::Error(hostmesh::plugin::Cause::kSpawnFailed,
                                  "this rank has been started already");
  }
};

}  // namespace

FAULTY_PLUGIN(StartsNothingAnew)
