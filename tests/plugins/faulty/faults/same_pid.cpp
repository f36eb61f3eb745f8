// Reports the pid of its first launch for all of them.
#include "launcher.hpp"

namespace {

using namespace faulty;

class SamePid : public Steps {
 public:
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    if (first_ == 0) first_ = pid;
    Steps::tell_launched(host, id, first_);
  }

 private:
  pid_t first_ = 0;
};

}  // namespace

FAULTY_PLUGIN(SamePid)
