// Pushes: on which host a copy of our program is being made, by which launch, and who waits for it.
//
// A launch that finds no copy on its host makes one, or waits for the one that another launch makes; then it
// begins anew. Pure; used under the lock of its owner.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace hostmesh_ssh {

class Pushes {
 public:
  using Id = std::uint64_t;

  // What is asked for when a launch starts, and said when it found nothing.
  std::uint64_t made(const std::string& host) const;

  enum class Next {
    kCopy,   // it makes the copy
    kWait,   // another one does
    kStart,  // one has been made since it had started
  };
  Next absent(Id id, const std::string& host, std::uint64_t made_when_started);

  // The copy of that launch has ended, well or not; who waited for it.
  std::vector<Id> succeeded(const std::string& host);
  std::vector<Id> failed(const std::string& host);
  // It was given up, and that is no word on the host: who makes the copy now.
  std::optional<Id> abandoned(const std::string& host);
  // True when it was waiting, and is forgotten now.
  bool withdraw(Id id);

 private:
  struct Host {
    std::uint64_t made = 0;
    bool is_copying = false;
    std::vector<Id> waiting;
  };
  std::map<std::string, Host> hosts_;
};

}  // namespace hostmesh_ssh
