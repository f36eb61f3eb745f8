// Output comes on a third stream, too.
#include "launcher.hpp"

namespace {

using namespace faulty;

class ReportsNonsense : public Steps {
 public:
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    Steps::tell_launched(host, id, pid);
    constexpr std::uint8_t kWord[] = {'w', 'o', 'r', 'd'};
    host.output(id, static_cast<Stream>(3), kWord);
  }
};

}  // namespace

FAULTY_PLUGIN(ReportsNonsense)
