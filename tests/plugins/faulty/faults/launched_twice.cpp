// Says of each launch twice that it is launched.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LaunchedTwice : public Steps {
 public:
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    Steps::tell_launched(host, id, pid);
    Steps::tell_launched(host, id, pid);
  }
};

}  // namespace

FAULTY_PLUGIN(LaunchedTwice)
