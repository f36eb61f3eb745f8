// Says of everything that dies of a signal that it has left a core file.
#include "launcher.hpp"

namespace {

using namespace faulty;

class InventsCores : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    End more = end;
    more.core_dumped = end.by_signal;
    Steps::tell_end(host, id, more);
  }
};

}  // namespace

FAULTY_PLUGIN(InventsCores)
