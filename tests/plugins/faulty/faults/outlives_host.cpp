// Children live on when the host is killed.
#include "launcher.hpp"

namespace {

using namespace faulty;

class OutlivesHost : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override { setup.dies_with_host = false; }
};

}  // namespace

FAULTY_PLUGIN(OutlivesHost)
