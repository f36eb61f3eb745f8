// Has the PATH in the environment twice.
#include "launcher.hpp"

namespace {

using namespace faulty;

class DoublesEnvironment : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    if (request.environment.empty()) return;
    const std::string first = request.environment.front();
    request.environment.push_back(first);
  }
};

}  // namespace

FAULTY_PLUGIN(DoublesEnvironment)
