// Children can be written to by everybody: their umask is 0.
#include <sys/stat.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class OwnUmask : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override {
    setup.in_child = [] { ::umask(0); };
  }
};

}  // namespace

FAULTY_PLUGIN(OwnUmask)
