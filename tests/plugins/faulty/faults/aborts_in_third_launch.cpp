// Ends the whole process in the third launch.
#include <cstdlib>

#include "launcher.hpp"

namespace {

using namespace faulty;

class AbortsInThirdLaunch : public Steps {
 public:
  void accept(const Host&, const LaunchRequest& request) override {
    if (request.id == 3) std::abort();
  }
};

}  // namespace

FAULTY_PLUGIN(AbortsInThirdLaunch)
