// Waits for whichever child of the client has ended.
#include <sys/wait.h>

#include "launcher.hpp"

namespace {

using namespace faulty;

class ReapsStrangers : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup&) override {
    // Later on it might be one of its own.
    if (!std::exchange(done_, true)) ::waitpid(-1, nullptr, WNOHANG);
  }

 private:
  bool done_ = false;
};

}  // namespace

FAULTY_PLUGIN(ReapsStrangers)
