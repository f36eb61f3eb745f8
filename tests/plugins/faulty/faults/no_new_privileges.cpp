// Children cannot run setuid programs.
#include <sys/prctl.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class NoNewPrivileges : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override {
    setup.in_child = [] { ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); };
  }
};

}  // namespace

FAULTY_PLUGIN(NoNewPrivileges)
