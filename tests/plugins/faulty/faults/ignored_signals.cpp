// Children start with the signals ignored that the host ignores.
#include "launcher.hpp"

namespace {

using namespace faulty;

class IgnoredSignals : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override { setup.default_signals = false; }
};

}  // namespace

FAULTY_PLUGIN(IgnoredSignals)
