#include "pushes.hpp"

#include <utility>

namespace hostmesh_ssh {

std::uint64_t Pushes::made(const std::string& host) const {
  const auto found = hosts_.find(host);
  return found == hosts_.end() ? 0 : found->second.made;
}

Pushes::Next Pushes::absent(Id id, const std::string& host, std::uint64_t made_when_started) {
  Host& at = hosts_[host];
  if (at.made > made_when_started) return Next::kStart;
  if (std::exchange(at.is_copying, true)) {
    at.waiting.push_back(id);
    return Next::kWait;
  }
  return Next::kCopy;
}

std::vector<Pushes::Id> Pushes::succeeded(const std::string& host) {
  ++hosts_[host].made;
  return failed(host);
}

std::vector<Pushes::Id> Pushes::failed(const std::string& host) {
  Host& at = hosts_[host];
  at.is_copying = false;
  return std::exchange(at.waiting, {});
}

std::optional<Pushes::Id> Pushes::abandoned(const std::string& host) {
  Host& at = hosts_[host];
  at.is_copying = !at.waiting.empty();
  if (at.waiting.empty()) return std::nullopt;
  const Id next = at.waiting.front();
  at.waiting.erase(at.waiting.begin());
  return next;
}

bool Pushes::withdraw(Id id) {
  for (auto& [name, host] : hosts_) {
    if (std::erase(host.waiting, id) > 0) return true;
  }
  return false;
}

}  // namespace hostmesh_ssh
