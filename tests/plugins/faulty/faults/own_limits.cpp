// Children have a limit on their stack that nobody has asked for.
#include <sys/resource.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class OwnLimits : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override {
    setup.in_child = [] {
      const rlimit small{4 << 20, 4 << 20};
      ::setrlimit(RLIMIT_STACK, &small);
    };
  }
};

}  // namespace

FAULTY_PLUGIN(OwnLimits)
