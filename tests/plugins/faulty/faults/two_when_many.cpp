// Starts two processes for one launch when many are there.
#include <sys/wait.h>

#include <csignal>

#include "fork.hpp"
#include "launcher.hpp"

namespace {

using namespace faulty;

class TwoWhenMany : public Steps {
 public:
  void prepare(const Host&, LaunchRequest& request, Setup& setup) override {
    constexpr int kMany = 20;
    if (++launches_ <= kMany) return;
    Started second = fork_child(request, setup);
    if (second.failure.empty()) seconds_.push_back(std::move(second.child));
  }
  void tell_end(const Host& host, LaunchId id, const End& end) override {
    --launches_;
    Steps::tell_end(host, id, end);
  }
  void kill_all(Children& children) override {
    Steps::kill_all(children);
    for (const Child& second : seconds_) {
      ::kill(-second.pid, SIGKILL);
      ::waitpid(second.pid, nullptr, 0);
    }
  }

 private:
  int launches_ = 0;
  std::vector<Child> seconds_;
};

}  // namespace

FAULTY_PLUGIN(TwoWhenMany)
