// A thread of its own reports when the instance is gone.
#include "launcher.hpp"

namespace {

using namespace faulty;

class ReportsAfterDestroy : public Steps {
 public:
  void destroyed(const Host& host) override {
    std::thread([host] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      host.exited(1, 0);
    }).detach();
  }
};

}  // namespace

FAULTY_PLUGIN(ReportsAfterDestroy)
