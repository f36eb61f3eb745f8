// Says of no launch that it has ended.
#include "launcher.hpp"

namespace {

using namespace faulty;

class NeverEnds : public Steps {
 public:
  void tell_end(const Host&, LaunchId, const End&) override {}
};

}  // namespace

FAULTY_PLUGIN(NeverEnds)
