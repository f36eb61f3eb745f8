// The first launch of a process returns after a second and a half.
#include "launcher.hpp"

namespace {

using namespace faulty;

class BlocksInLaunch : public Steps {
 public:
  void accept(const Host&, const LaunchRequest&) override {
    if (!std::exchange(waited_, true)) std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  }

 private:
  static inline bool waited_ = false;
};

}  // namespace

FAULTY_PLUGIN(BlocksInLaunch)
