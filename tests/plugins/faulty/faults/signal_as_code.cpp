// Says of what died of signal N that it exited with 128+N.
#include "launcher.hpp"

namespace {

using namespace faulty;

class SignalAsCode : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    host.exited(id, end.by_signal ? 128 + end.value : end.value);
  }
};

}  // namespace

FAULTY_PLUGIN(SignalAsCode)
