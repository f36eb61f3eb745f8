// Has the client die of SIGPIPE.
#include <csignal>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ChangesSignals : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup&) override { ::signal(SIGPIPE, SIG_DFL); }
};

}  // namespace

FAULTY_PLUGIN(ChangesSignals)
