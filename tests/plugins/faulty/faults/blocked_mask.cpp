// Children start with the signals blocked that the launcher has blocked.
#include "launcher.hpp"

namespace {

using namespace faulty;

class BlockedMask : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override { setup.nothing_blocked = false; }
};

}  // namespace

FAULTY_PLUGIN(BlockedMask)
