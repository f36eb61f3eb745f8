// Takes a while to start a launch, and drops signals that come before it has.
#include <set>

#include "launcher.hpp"

namespace {

using namespace faulty;

class LosesEarlySignals : public Steps {
 public:
  void prepare(const Host&, LaunchRequest&, Setup&) override {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    {
      const std::lock_guard lock(mutex_);
      launched_.insert(id);
    }
    Steps::tell_launched(host, id, pid);
  }
  bool takes_signal(LaunchId id) override {
    const std::lock_guard lock(mutex_);
    return launched_.contains(id);
  }

 private:
  std::mutex mutex_;
  std::set<LaunchId> launched_;
};

}  // namespace

FAULTY_PLUGIN(LosesEarlySignals)
