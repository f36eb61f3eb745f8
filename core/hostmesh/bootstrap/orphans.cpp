#include "hostmesh/bootstrap/orphans.hpp"

#include <cerrno>
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

// Whether a process was started with one of these allocations in its environment.
enum class Carries : std::uint8_t { kYes, kNo, kCannotTell };

template <class Allocations>
Carries carries(pid_t pid, const Allocations& allocations) {
  auto environment = read_proc_file("/proc/" + std::to_string(pid) + "/environ");
  if (!environment) return errno == ENOENT || errno == ESRCH ? Carries::kNo : Carries::kCannotTell;
  environment->insert(environment->begin(), '\0');
  for (const auto& [allocation, ignored] : allocations) {
    const std::string entry = '\0' + std::string(kEnvAllocation) + "=" + allocation + '\0';
    if (environment->find(entry) != std::string::npos) return Carries::kYes;
  }
  return Carries::kNo;
}

}  // namespace

Orphans::Orphans(Reactor& reactor, std::shared_ptr<ChildRegistry> registry)
    : reactor_(reactor), registry_(std::move(registry)), again_(reactor) {}

void Orphans::sweep(const std::string& allocation, std::function<void()> done, OrphansAre most) {
  asked_.waiting[allocation].push_back(std::move(done));
  if (policy_ == OrphansAre::kAllOurs && most == OrphansAre::kAllOurs) asked_.ours = OrphansAre::kAllOurs;
  if (!busy_) start_next();
}

void Orphans::begin(const std::string& allocation) {
  if (adopts_ == Adopts::kYes) adopting_.try_emplace(allocation);
}

void Orphans::end(const std::string& allocation) {
  launch_ended();
  adopting_.erase(allocation);
}

void Orphans::launch_ended() {
  if (policy_ != OrphansAre::kMarked || adopting_.empty()) return;
  if (!reaper_) {
    reaper_ =
        std::make_unique<OrphanReaper>(reactor_, registry_, [this](pid_t pid) { return is_marked(pid); });
  }
  reaper_->look();
}

bool Orphans::is_marked(pid_t pid) const {
  return carries(pid, adopting_) == Carries::kYes;
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
      const Carries mark = carries(pid, asked->waiting);
      if (mark == Carries::kCannotTell) {
        log::warning("it cannot be told whether a process is an orphan of ours; it is left alone " +
                     log::field("pid", std::to_string(pid)) + " " + log::field("why", errno_text(errno)));
      }
      return mark == Carries::kYes;
    };
  }
  const auto finished = [this, asked, looks](const Swept& swept) {
    for (const pid_t pid : swept.survivors) {
      log::error("an orphan could not be killed pid=" + std::to_string(pid));
    }
    if (swept.has_unseen) log::error("orphans are left that could not be found");
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
