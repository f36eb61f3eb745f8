// Sends every signal to what was launched last.
#include <csignal>

#include "launcher.hpp"

namespace {

using namespace faulty;

class SignalsTheYoungest : public Steps {
 public:
  void send_signal(Children& children, LaunchId, int number) override {
    ::kill(-children.rbegin()->second.pid, number);
  }
};

}  // namespace

FAULTY_PLUGIN(SignalsTheYoungest)
