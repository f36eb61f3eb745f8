// Sends signals for launches that have ended to the pid that they had.
#include <csignal>

#include "launcher.hpp"

namespace {

using namespace faulty;

class SignalsTheEnded : public Steps {
 public:
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    pids_[id] = pid;
    Steps::tell_launched(host, id, pid);
  }
  void signal_ended(LaunchId id, int number) override {
    if (const auto pid = pids_.find(id); pid != pids_.end()) ::kill(pid->second, number);
  }

 private:
  std::map<LaunchId, pid_t> pids_;
};

}  // namespace

FAULTY_PLUGIN(SignalsTheEnded)
