// Keeps 16 KiB for each launch.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LeaksMemory : public Steps {
 public:
  void accept(const Host&, const LaunchRequest&) override { kept_.emplace_back(16 * 1024, 'x'); }

 private:
  std::vector<std::string> kept_;
};

}  // namespace

FAULTY_PLUGIN(LeaksMemory)
