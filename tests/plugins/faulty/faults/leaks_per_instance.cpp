// Each instance leaves a descriptor behind.
#include <fcntl.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class LeaksPerInstance : public Steps {
 public:
  LeaksPerInstance() { static_cast<void>(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }
};

}  // namespace

FAULTY_PLUGIN(LeaksPerInstance)
