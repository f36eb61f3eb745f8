// Does not wait for children that have ended.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LeavesZombies : public Steps {
 public:
  void reap(Child&) override {}
};

}  // namespace

FAULTY_PLUGIN(LeavesZombies)
