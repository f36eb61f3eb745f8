// Connecting: how many logins may be under way at once, and when the next one begins.
//
// An ssh daemon turns logins away when there are many at once, so each has its turn: a limit for all and one
// for each host, and a pause with jitter before a further try. One thread, which only ever waits for the next
// turn. What it starts is done through a callback, with the lock held: it must be quick and not call back.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>

namespace hostmesh_ssh {

using Clock = std::chrono::steady_clock;

class Connecting {
 public:
  struct Limits {
    std::size_t at_once = 32;
    std::size_t at_once_per_host = 8;
  };
  // False: it could not be started, and is not under way.
  using Start = std::function<bool(std::uint64_t id)>;

  Connecting(Limits limits, Start start);
  // Nothing is started any more.
  ~Connecting();
  Connecting(const Connecting&) = delete;
  Connecting& operator=(const Connecting&) = delete;

  // Its turn comes, at the earliest after the pause.
  void add(std::uint64_t id, const std::string& host, Clock::duration pause = {});
  // It was started, and is through or has failed: its place is free.
  void done(std::uint64_t id);
  // True when it was still waiting, and is forgotten now.
  bool withdraw(std::uint64_t id);

  // Before the try with this number, counted from 1: 200 ms, doubled each time up to 5 s, and between half
  // and one and a half of that.
  Clock::duration pause_before(unsigned retry);

 private:
  struct Waiting {
    std::uint64_t id;
    std::string host;
    Clock::time_point earliest;
  };

  void run();
  // The first whose turn it is; else none, and when to look again.
  std::list<Waiting>::iterator next(Clock::time_point& look_again);

  const Limits limits_;
  const Start start_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::list<Waiting> waiting_;
  std::map<std::uint64_t, std::string> under_way_;  // with its host
  std::map<std::string, std::size_t> at_host_;
  std::mt19937 random_{std::random_device{}()};
  bool closing_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace hostmesh_ssh
