#include "hostmesh/bootstrap/orphans.hpp"

#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/process/descendants.hpp"

namespace hostmesh::bootstrap {

namespace {

constexpr Duration kSweepTimeout = std::chrono::seconds(10);
// One that is just dying no longer shows its mark, and what it leaves is given to us, without a word, only
// when it is dead. So where marks count there is another look, and yet another.
constexpr int kMoreLooks = 2;
constexpr Duration kNextLook = std::chrono::milliseconds(100);

// True when the process was started with this entry in its environment.
bool carries(pid_t pid, const std::string& entry) {
  const auto environment = read_proc_file("/proc/" + std::to_string(pid) + "/environ");
  const std::string wanted = '\0' + entry + '\0';
  return environment && ('\0' + *environment).find(wanted) != std::string::npos;
}

}  // namespace

Orphans::Orphans(Reactor& reactor, std::shared_ptr<ChildRegistry> registry)
    : reactor_(reactor), registry_(std::move(registry)), again_(reactor) {}

void Orphans::sweep(const std::string& allocation, std::function<void()> done, OrphansAre most) {
  asked_.waiting[allocation].push_back(std::move(done));
  if (policy_ == OrphansAre::kAllOurs && most == OrphansAre::kAllOurs) asked_.ours = OrphansAre::kAllOurs;
  if (!busy_) start_next();
}

void Orphans::start_next() {
  busy_ = !asked_.waiting.empty();
  if (!busy_) return;
  start(std::make_shared<const Asked>(std::exchange(asked_, {})),
        policy_ == OrphansAre::kMarked ? kMoreLooks : 0);
}

void Orphans::start(std::shared_ptr<const Asked> asked, int looks) {
  Sweep::Ours ours;  // empty: every child that nobody here waits for
  if (asked->ours == OrphansAre::kMarked) {
    ours = [registry = registry_, asked](pid_t pid) {
      if (registry->owns(pid)) return false;
      for (const auto& [allocation, waiting] : asked->waiting) {
        if (carries(pid, std::string(kEnvAllocation) + "=" + allocation)) return true;
      }
      return false;
    };
  }
  const auto finished = [this, asked, looks](const std::vector<pid_t>& survivors) {
    for (const pid_t pid : survivors) log::error("an orphan could not be killed pid=" + std::to_string(pid));
    // Not from inside the sweep's own call.
    reactor_.post([this, asked, looks, done = std::shared_ptr<Sweep>(std::move(running_))] {
      if (looks > 0) return again_.after(kNextLook, [this, asked, looks] { start(asked, looks - 1); });
      start_next();
      for (const auto& [allocation, waiting] : asked->waiting) {
        for (const auto& tell : waiting) tell();
      }
    });
  };
  running_ =
      std::make_unique<Sweep>(reactor_, registry_, std::move(ours), Deadline::after(kSweepTimeout), finished);
}

}  // namespace hostmesh::bootstrap
