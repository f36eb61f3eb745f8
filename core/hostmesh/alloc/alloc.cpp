#include "hostmesh/alloc/alloc.hpp"

#include <utility>

namespace hostmesh {

void ProcStateQueue::push(ProcState state) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  states_.push_back(std::move(state));
  // Whoever waits began to when there was nothing: later ones find it awake.
  if (states_.size() == 1) changed_.notify_all();
}

void ProcStateQueue::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

bool ProcStateQueue::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

Result<std::optional<ProcState>> ProcStateQueue::next(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const auto ready = [this] { return closed_ || !states_.empty(); };
  if (deadline.is_never()) {
    changed_.wait(lock, ready);
  } else if (!changed_.wait_until(lock, deadline.when(), ready)) {
    return Error(Cause::kTimeout, "no event from the allocation in time");
  }
  if (states_.empty()) return std::optional<ProcState>();
  std::optional<ProcState> state = std::move(states_.front());
  states_.pop_front();
  return state;
}

}  // namespace hostmesh
