// Every child gets a variable more.
#include "launcher.hpp"

namespace {

using namespace faulty;

class AddsToEnvironment : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    request.environment.emplace_back("LAUNCHED_BY=a_helpful_plugin");
  }
};

}  // namespace

FAULTY_PLUGIN(AddsToEnvironment)
