// Sets a variable in the environment of the client.
#include <cstdlib>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ChangesEnvironment : public Steps {
 public:
  void accept(const Host&, const LaunchRequest& request) override {
    ::setenv("FAULTY_LAUNCH", std::to_string(request.id).c_str(), 1);
  }
};

}  // namespace

FAULTY_PLUGIN(ChangesEnvironment)
