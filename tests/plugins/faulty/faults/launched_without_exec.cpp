// Says of a command that cannot be executed that it was launched and exited with 127.
#include "launcher.hpp"

namespace {

using namespace faulty;

class LaunchedWithoutExec : public Steps {
 public:
  void tell_failed(const Host& host, LaunchId id, const std::string&, int) override {
    Steps::tell_launched(host, id, 0);
    host.exited(id, 127);
  }
};

}  // namespace

FAULTY_PLUGIN(LaunchedWithoutExec)
