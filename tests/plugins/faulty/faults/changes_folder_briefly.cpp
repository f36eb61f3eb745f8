// Goes to the working directory of a launch, with the whole client, and back.
#include <fcntl.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ChangesFolderBriefly : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    if (request.working_directory.empty() || ::chdir(request.working_directory.c_str()) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    static_cast<void>(::fchdir(former_.get()) == 0);
  }

 private:
  const Descriptor former_{::open(".", O_PATH | O_CLOEXEC)};
};

}  // namespace

FAULTY_PLUGIN(ChangesFolderBriefly)
