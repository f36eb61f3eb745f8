// Never says that there is a core file.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LosesCore : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    End without = end;
    without.core_dumped = false;
    Steps::tell_end(host, id, without);
  }
};

}  // namespace

FAULTY_PLUGIN(LosesCore)
