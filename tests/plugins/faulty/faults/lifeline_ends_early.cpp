// Closes stdin when the payload is written, lifeline or not.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LifelineEndsEarly : public Steps {
 public:
  void payload_written(Child& child) override { child.in.reset(); }
};

}  // namespace

FAULTY_PLUGIN(LifelineEndsEarly)
