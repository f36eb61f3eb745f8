// Sends signals to the child, and not to its group.
#include <csignal>

#include "launcher.hpp"

namespace {

using namespace faulty;

class SignalsLeaderOnly : public Steps {
 public:
  void send_signal(Children& children, LaunchId id, int number) override {
    ::kill(children.at(id).pid, number);
  }
};

}  // namespace

FAULTY_PLUGIN(SignalsLeaderOnly)
