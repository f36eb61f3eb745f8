// Empty words of the command line do not arrive.
#include "launcher.hpp"

namespace {

using namespace faulty;

class DropsEmptyWords : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup&) override { std::erase(request.argv, ""); }
};

}  // namespace

FAULTY_PLUGIN(DropsEmptyWords)
