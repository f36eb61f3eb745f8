#include "hostmesh/bootstrap/orphans.hpp"

#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh::bootstrap {

namespace {

constexpr Duration kSweepTimeout = std::chrono::seconds(10);

// True when the process was started with this entry in its environment.
bool carries(pid_t pid, const std::string& entry) {
  const auto environment = read_proc_file("/proc/" + std::to_string(pid) + "/environ");
  const std::string wanted = '\0' + entry + '\0';
  return environment && ('\0' + *environment).find(wanted) != std::string::npos;
}

}  // namespace

Orphans::Orphans(Reactor& reactor, std::shared_ptr<ChildRegistry> registry)
    : reactor_(reactor), registry_(std::move(registry)) {}

void Orphans::sweep(const std::string& allocation, std::function<void()> done) {
  asked_[allocation].push_back(std::move(done));
  if (!running_) start();
}

void Orphans::start() {
  const auto asked = std::make_shared<Asked>(std::exchange(asked_, {}));
  Sweep::Ours ours;  // empty: every child that nobody here waits for
  if (policy_ == OrphansAre::kMarked) {
    ours = [registry = registry_, asked](pid_t pid) {
      if (registry->owns(pid)) return false;
      for (const auto& [allocation, waiting] : *asked) {
        if (carries(pid, std::string(kEnvAllocation) + "=" + allocation)) return true;
      }
      return false;
    };
  }
  const auto finished = [this, asked](const std::vector<pid_t>& survivors) {
    for (const pid_t pid : survivors) log::error("an orphan could not be killed pid=" + std::to_string(pid));
    // Not from inside the sweep's own call.
    reactor_.post([this, asked, done = std::shared_ptr<Sweep>(std::move(running_))] {
      if (!running_ && !asked_.empty()) start();
      for (const auto& [allocation, waiting] : *asked) {
        for (const auto& tell : waiting) tell();
      }
    });
  };
  running_ =
      std::make_unique<Sweep>(reactor_, registry_, std::move(ours), Deadline::after(kSweepTimeout), finished);
}

}  // namespace hostmesh::bootstrap
