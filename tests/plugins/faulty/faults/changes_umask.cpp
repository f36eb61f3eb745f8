// Sets the umask of the whole client while it starts a launch.
#include <sys/stat.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ChangesUmask : public Steps {
 public:
  void accept(const Host&, const LaunchRequest&) override { former_ = ::umask(0); }
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    ::umask(former_);
    Steps::tell_launched(host, id, pid);
  }

 private:
  mode_t former_ = 0;
};

}  // namespace

FAULTY_PLUGIN(ChangesUmask)
