// Never reports a core.
#include "launcher.hpp"

namespace {

using namespace faulty;

class SeesNoCores : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    Steps::tell_end(host, id, {.by_signal = end.by_signal, .value = end.value, .core_dumped = false});
  }
};

}  // namespace

FAULTY_PLUGIN(SeesNoCores)
