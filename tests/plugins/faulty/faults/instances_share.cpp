// When one instance is destroyed, what others launched is killed with it.
#include <csignal>
#include <set>

#include "launcher.hpp"

namespace {

using namespace faulty;

class InstancesShare : public Steps {
 public:
  void tell_launched(const Host& host, LaunchId id, pid_t pid) override {
    {
      const std::lock_guard lock(mutex_);
      everybody_.insert(pid);
    }
    Steps::tell_launched(host, id, pid);
  }
  void reap(Child& child) override {
    const std::lock_guard lock(mutex_);
    everybody_.erase(child.pid);
    Steps::reap(child);
  }
  void kill_all(Children& children) override {
    const std::lock_guard lock(mutex_);
    for (const pid_t pid : everybody_) ::kill(-pid, SIGKILL);
    for (const auto& [id, child] : children) everybody_.erase(child.pid);
    Steps::kill_all(children);
  }

 private:
  static inline std::mutex mutex_;
  static inline std::set<pid_t> everybody_;
};

}  // namespace

FAULTY_PLUGIN(InstancesShare)
