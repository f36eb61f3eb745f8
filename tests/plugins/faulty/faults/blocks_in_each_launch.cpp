// Each launch returns after 50 ms.
#include "launcher.hpp"

namespace {

using namespace faulty;

class BlocksInEachLaunch : public Steps {
 public:
  void accept(const Host&, const LaunchRequest&) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
};

}  // namespace

FAULTY_PLUGIN(BlocksInEachLaunch)
