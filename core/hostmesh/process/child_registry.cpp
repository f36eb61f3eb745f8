#include "hostmesh/process/child_registry.hpp"

#include <utility>

namespace hostmesh {

void ChildRegistry::begin_launch() {
  const std::lock_guard lock(mutex_);
  ++launching_;
}

void ChildRegistry::end_launch(pid_t pid) {
  std::vector<std::function<void()>> calls;
  {
    const std::lock_guard lock(mutex_);
    if (pid > 0) owned_.insert(pid);
    if (--launching_ == 0) calls.swap(waiting_);
  }
  for (const auto& call : calls) call();
}

void ChildRegistry::release(pid_t pid, const std::function<void()>& reap) {
  const std::lock_guard lock(mutex_);
  reap();
  owned_.erase(pid);
}

void ChildRegistry::add_foreign(pid_t pid) {
  const std::lock_guard lock(mutex_);
  foreign_.insert(pid);
}

void ChildRegistry::remove_foreign(pid_t pid) {
  const std::lock_guard lock(mutex_);
  if (const auto found = foreign_.find(pid); found != foreign_.end()) foreign_.erase(found);
}

ChildRegistry::Standing ChildRegistry::if_unowned(pid_t pid, const std::function<void()>& act) {
  const std::lock_guard lock(mutex_);
  if (owned_.contains(pid) || foreign_.contains(pid)) return Standing::kOwned;
  if (launching_ > 0) return Standing::kUndecided;
  act();
  return Standing::kUnowned;
}

bool ChildRegistry::owns(pid_t pid) const {
  const std::lock_guard lock(mutex_);
  return owned_.contains(pid) || foreign_.contains(pid);
}

void ChildRegistry::when_settled(std::function<void()> call) {
  {
    const std::lock_guard lock(mutex_);
    if (launching_ > 0) {
      waiting_.push_back(std::move(call));
      return;
    }
  }
  call();
}

}  // namespace hostmesh
