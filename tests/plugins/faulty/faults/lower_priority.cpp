// Children give way to others.
#include <sys/resource.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class LowerPriority : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override {
    setup.in_child = [] { ::setpriority(PRIO_PROCESS, 0, 5); };
  }
};

}  // namespace

FAULTY_PLUGIN(LowerPriority)
