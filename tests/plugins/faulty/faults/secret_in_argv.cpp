// Hands the payload down on the command line as well.
#include "launcher.hpp"

namespace {

using namespace faulty;

class SecretInArgv : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    if (request.stdin_payload.empty()) return;
    request.argv.emplace_back(request.stdin_payload.begin(), request.stdin_payload.end());
  }
};

}  // namespace

FAULTY_PLUGIN(SecretInArgv)
