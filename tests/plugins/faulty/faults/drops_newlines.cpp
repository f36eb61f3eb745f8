// Entries of the environment that have a newline do not arrive.
#include "launcher.hpp"

namespace {

using namespace faulty;

class DropsNewlines : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override {
    std::erase_if(request.environment,
                  [](const std::string& entry) { return entry.find('\n') != std::string::npos; });
  }
};

}  // namespace

FAULTY_PLUGIN(DropsNewlines)
