// Has the thread that calls it give way to others.
#include <sys/resource.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ChangesPriority : public Steps {
 public:
  void accept(const Host&, const LaunchRequest&) override { ::setpriority(PRIO_PROCESS, 0, 7); }
};

}  // namespace

FAULTY_PLUGIN(ChangesPriority)
