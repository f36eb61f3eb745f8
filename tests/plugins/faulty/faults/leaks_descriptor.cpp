// Every child gets a descriptor that the launcher has opened for itself.
#include <fcntl.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class LeaksDescriptor : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup& setup) override { setup.only_its_descriptors = false; }

 private:
  const Descriptor leaked_{::open("/dev/null", O_RDONLY)};  // without O_CLOEXEC
};

}  // namespace

FAULTY_PLUGIN(LeaksDescriptor)
