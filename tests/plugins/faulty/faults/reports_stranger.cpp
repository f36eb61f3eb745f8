// Reports the end of a launch that nobody asked for.
#include "launcher.hpp"

namespace {

using namespace faulty;

class ReportsStranger : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    Steps::tell_end(host, id, end);
    host.exited(id + 1'000'000, 0);
  }
};

}  // namespace

FAULTY_PLUGIN(ReportsStranger)
