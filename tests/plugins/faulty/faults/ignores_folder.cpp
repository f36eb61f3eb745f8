// Starts everything in its own working directory.
#include "launcher.hpp"

namespace {

using namespace faulty;

class IgnoresFolder : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override { request.working_directory.clear(); }
};

}  // namespace

FAULTY_PLUGIN(IgnoresFolder)
