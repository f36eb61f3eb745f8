// Says that a launch has the pid of the process that launches it.
#include "launcher.hpp"

namespace {

using namespace faulty;

class WrongPid : public Steps {
 public:
  void tell_launched(const Host& host, LaunchId id, pid_t) override {
    Steps::tell_launched(host, id, ::getpid());
  }
};

}  // namespace

FAULTY_PLUGIN(WrongPid)
