// Two of its options have the same key.
#include "launcher.hpp"

namespace {

using namespace faulty;

class OneKeyTwice : public Steps {
 public:
  static Description describe() {
    Description description = Steps::describe();
    description.options = {{.key = "speed", .default_value = "1", .doc = "how fast"},
                           {.key = "speed", .default_value = "2", .doc = "how fast, too"}};
    return description;
  }
};

}  // namespace

FAULTY_PLUGIN(OneKeyTwice)
