// Goes to another working directory, with the whole client.
#include "launcher.hpp"

namespace {

using namespace faulty;

class ChangesFolder : public Steps {
 public:
  void accept(const Host&, const LaunchRequest&) override { static_cast<void>(::chdir("/") == 0); }
};

}  // namespace

FAULTY_PLUGIN(ChangesFolder)
