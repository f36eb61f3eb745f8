#include "hostmesh/bootstrap/orphans.hpp"

#include <fstream>
#include <iterator>
#include <utility>

#include "hostmesh/base/log.hpp"

namespace hostmesh::bootstrap {

namespace {

constexpr Duration kSweepTimeout = std::chrono::seconds(10);

// True when the process was started with this entry in its environment.
bool carries(pid_t pid, const std::string& entry) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/environ", std::ios::binary);
  std::string environment((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  environment.insert(0, 1, '\0');
  return environment.find(std::string(1, '\0') + entry + std::string(1, '\0')) != std::string::npos;
}

}  // namespace

Orphans::Orphans(Reactor& reactor, std::shared_ptr<ChildRegistry> registry)
    : reactor_(reactor), registry_(std::move(registry)) {}

void Orphans::sweep(const std::string& allocation) {
  asked_.insert(allocation);
  if (!running_) start();
}

void Orphans::start() {
  Sweep::Ours ours;  // empty: every child that nobody here waits for
  if (policy_ == OrphansAre::kMarked) {
    ours = [registry = registry_, allocations = asked_](pid_t pid) {
      if (registry->owns(pid)) return false;
      for (const std::string& allocation : allocations) {
        if (carries(pid, std::string(kEnvAllocation) + "=" + allocation)) return true;
      }
      return false;
    };
  }
  asked_.clear();
  running_ =
      std::make_unique<Sweep>(reactor_, registry_, std::move(ours), Deadline::after(kSweepTimeout),
                              [this](const std::vector<pid_t>& survivors) {
                                for (const pid_t pid : survivors) {
                                  log::error("an orphan could not be killed pid=" + std::to_string(pid));
                                }
                                // Not from inside the sweep's own call.
                                reactor_.post([this, done = std::shared_ptr<Sweep>(std::move(running_))] {
                                  if (!running_ && !asked_.empty()) start();
                                });
                              });
}

}  // namespace hostmesh::bootstrap
