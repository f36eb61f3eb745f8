// Has a process of its own beside the launches, which nobody ends when the host is killed.
#include "launcher.hpp"

#include <sys/wait.h>

#include <csignal>

namespace {

using namespace faulty;

class LeavesItsHelper : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup&) override {
    if (helper_ < 0) helper_ = ::fork();
    if (helper_ == 0) help();
  }
  void kill_all(Children& children) override {
    Steps::kill_all(children);
    if (helper_ < 0) return;
    ::kill(helper_, SIGKILL);
    ::waitpid(helper_, nullptr, 0);
  }

 private:
  [[noreturn]] static void help() {
    constexpr unsigned kLongestLife_s = 300;
    ::alarm(kLongestLife_s);
    ::close_range(0, ~0U, 0);
    for (;;) ::pause();
  }

  pid_t helper_ = -1;
};

}  // namespace

FAULTY_PLUGIN(LeavesItsHelper)
