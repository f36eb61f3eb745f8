// Makes the stderr of the client non-blocking.
#include <fcntl.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ChangesDescriptor : public Steps {
 public:
  void accept(const Host&, const LaunchRequest&) override {
    ::fcntl(STDERR_FILENO, F_SETFL, ::fcntl(STDERR_FILENO, F_GETFL) | O_NONBLOCK);
  }
};

}  // namespace

FAULTY_PLUGIN(ChangesDescriptor)
