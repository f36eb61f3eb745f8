// Children run on the first processor only.
#include <sched.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class FirstProcessor : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override {
    setup.in_child = [] {
      cpu_set_t first;
      CPU_ZERO(&first);
      CPU_SET(0, &first);
      ::sched_setaffinity(0, sizeof(first), &first);
    };
  }
};

}  // namespace

FAULTY_PLUGIN(FirstProcessor)
