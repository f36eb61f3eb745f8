// Reports each end 400 ms late.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LateEnd : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(400));
    Steps::tell_end(host, id, end);
  }
};

}  // namespace

FAULTY_PLUGIN(LateEnd)
