// The first words of a launch come before it is said to be launched.
#include "launcher.hpp"

namespace {

using namespace faulty;

class OutputBeforeLaunched : public Steps {
 public:
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    constexpr std::uint8_t kHeader[] = {'h', 'e', 'a', 'd', 'e', 'r', '\n'};
    host.output(id, Stream::kStdout, kHeader);
    Steps::tell_launched(host, id, pid);
  }
};

}  // namespace

FAULTY_PLUGIN(OutputBeforeLaunched)
