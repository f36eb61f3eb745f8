// A second instance cannot be made.
#include "launcher.hpp"

namespace {

using namespace faulty;

class MadeOnlyOnce : public Steps {
 public:
  MadeOnlyOnce() {
    if (std::exchange(made_, true)) throw std::runtime_error("there is one already");
  }

 private:
  static inline bool made_ = false;
};

}  // namespace

FAULTY_PLUGIN(MadeOnlyOnce)
