// Says nothing about itself.
#include "launcher.hpp"

namespace {

using namespace faulty;

class Undocumented : public Steps {
 public:
  static Description describe() {
    Description description = Steps::describe();
    description.summary.clear();
    return description;
  }
};

}  // namespace

FAULTY_PLUGIN(Undocumented)
