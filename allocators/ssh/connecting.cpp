#include "connecting.hpp"

#include <algorithm>
#include <utility>

namespace hostmesh_ssh {

using namespace std::chrono_literals;

Connecting::Connecting(Limits limits, Start start)
    : limits_(limits), start_(std::move(start)), thread_([this] { run(); }) {}

Connecting::~Connecting() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Connecting::add(std::uint64_t id, const std::string& host, Clock::duration pause) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({.id = id, .host = host, .earliest = Clock::now() + pause});
  }
  changed_.notify_all();
}

void Connecting::done(std::uint64_t id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = under_way_.find(id);
    if (found == under_way_.end()) return;
    --at_host_[found->second];
    under_way_.erase(found);
  }
  changed_.notify_all();
}

bool Connecting::withdraw(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  return waiting_.remove_if([id](const Waiting& each) { return each.id == id; }) > 0;
}

Clock::duration Connecting::pause_before(unsigned retry) {
  const Clock::duration pause = std::min<Clock::duration>(200ms * (1U << std::min(retry - 1, 10U)), 5s);
  const std::lock_guard lock(mutex_);
  return pause / 2 + Clock::duration(std::uniform_int_distribution<Clock::rep>(0, pause.count())(random_));
}

std::list<Connecting::Waiting>::iterator Connecting::next(Clock::time_point& look_again) {
  if (under_way_.size() >= limits_.at_once) return waiting_.end();
  const Clock::time_point now = Clock::now();
  for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
    if (at_host_[at->host] >= limits_.at_once_per_host) continue;
    if (at->earliest <= now) return at;
    look_again = std::min(look_again, at->earliest);
  }
  return waiting_.end();
}

void Connecting::run() {
  std::unique_lock lock(mutex_);
  while (!closing_) {
    Clock::time_point look_again = Clock::time_point::max();
    const auto turn = next(look_again);
    if (turn == waiting_.end()) {
      if (look_again == Clock::time_point::max()) {
        changed_.wait(lock);
      } else {
        changed_.wait_until(lock, look_again);
      }
      continue;
    }
    const Waiting begun = std::move(*turn);
    waiting_.erase(turn);
    under_way_[begun.id] = begun.host;
    ++at_host_[begun.host];
    if (start_(begun.id)) continue;
    --at_host_[begun.host];
    under_way_.erase(begun.id);
  }
}

}  // namespace hostmesh_ssh
