// Says of each launch twice that it has ended.
#include "launcher.hpp"

namespace {

using namespace faulty;

class EndsTwice : public Steps {
 public:
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    Steps::tell_end(host, id, end);
    Steps::tell_end(host, id, end);
  }
};

}  // namespace

FAULTY_PLUGIN(EndsTwice)
