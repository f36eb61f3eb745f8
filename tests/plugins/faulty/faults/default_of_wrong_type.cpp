// The default of an option is not of its type.
#include "launcher.hpp"

namespace {

using namespace faulty;

class DefaultOfWrongType : public Steps {
 public:
  static Description describe() {
    Description description = Steps::describe();
    description.options = {
        {.key = "hurry", .type = OptionType::kDuration, .default_value = "soon", .doc = "how long to wait"}};
    return description;
  }
};

}  // namespace

FAULTY_PLUGIN(DefaultOfWrongType)
