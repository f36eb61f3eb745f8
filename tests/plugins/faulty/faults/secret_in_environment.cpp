// Hands the payload down in the environment as well.
#include "launcher.hpp"

namespace {

using namespace faulty;

class SecretInEnvironment : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    if (request.stdin_payload.empty()) return;
    request.environment.push_back("PAYLOAD=" +
                                  std::string(request.stdin_payload.begin(), request.stdin_payload.end()));
  }
};

}  // namespace

FAULTY_PLUGIN(SecretInEnvironment)
