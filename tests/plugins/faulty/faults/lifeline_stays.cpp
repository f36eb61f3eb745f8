// Does nothing when the lifeline is to be ended.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LifelineStays : public Steps {
 public:
  void close_stdin(Child&) override {}
};

}  // namespace

FAULTY_PLUGIN(LifelineStays)
