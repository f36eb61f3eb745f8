// Gives what it kills two seconds before it returns.
#include "launcher.hpp"

namespace {

using namespace faulty;

class BlocksInDestroy : public Steps {
 public:
  void kill_all(Children& children) override {
    if (!children.empty()) std::this_thread::sleep_for(std::chrono::seconds(2));
    Steps::kill_all(children);
  }
};

}  // namespace

FAULTY_PLUGIN(BlocksInDestroy)
