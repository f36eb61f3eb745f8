// Has the environment in reverse.
#include <algorithm>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ReversesEnvironment : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    std::reverse(request.environment.begin(), request.environment.end());
  }
};

}  // namespace

FAULTY_PLUGIN(ReversesEnvironment)
