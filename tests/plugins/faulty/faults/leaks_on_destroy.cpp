// Leaves its children alone when it is destroyed.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LeaksOnDestroy : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override { setup.dies_with_host = false; }
  void kill_all(Children&) override {}
};

}  // namespace

FAULTY_PLUGIN(LeaksOnDestroy)
