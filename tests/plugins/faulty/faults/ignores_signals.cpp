// Sends no signal to anybody.
#include "launcher.hpp"

namespace {

using namespace faulty;

class IgnoresSignals : public Steps {
 public:
  void send_signal(Children&, LaunchId, int) override {}
};

}  // namespace

FAULTY_PLUGIN(IgnoresSignals)
