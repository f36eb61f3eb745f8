// What destroy() kills is reported, from a thread that lives longer than the instance.
#include "launcher.hpp"

#include <csignal>

namespace {

using namespace faulty;

class ReportsTheKilled : public Steps {
 public:
  void kill_all(Children& children) override {
    for (const auto& [id, child] : children) killed_.push_back(id);
    Steps::kill_all(children);
  }
  void destroyed(const Host& host) override {
    std::thread([host, killed = killed_] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      for (const LaunchId id : killed) host.killed(id, SIGKILL);
    }).detach();
  }

 private:
  std::vector<LaunchId> killed_;
};

}  // namespace

FAULTY_PLUGIN(ReportsTheKilled)
