// The actors of these tests, and the table that both sides of the program share.
#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "hostmesh/hostmesh.hpp"

namespace hostmesh::test {

struct Increment {
  std::int64_t by = 0;
};
struct Read {
  using Reply = std::int64_t;
};

struct Identity {
  std::int64_t pid = 0;
  std::int64_t parent = 0;
  std::vector<std::string> variables;  // of RANK, WORLD_SIZE, HOST_RANK, LOCAL_RANK, LOCAL_WORLD_SIZE, POINT
};
struct WhoAreYou {
  using Reply = Identity;
};

// Goes to each actor in `ahead`, then home.
struct Visit {
  std::vector<ActorId> ahead;
  std::vector<ActorId> seen;
  PortRef<std::vector<ActorId>> home;
};

struct Throw {
  std::string what;
};
struct Die {
  std::int32_t signal = 0;
};
// Is never answered.
struct Wait {
  using Reply = std::int64_t;
};

class Counter : public Actor {
 public:
  using Handles = Messages<Increment, Read, WhoAreYou, Visit, Throw, Die, Wait>;
  using Parameters = std::tuple<std::int64_t>;

  explicit Counter(std::int64_t start) : value_(start) {
    if (start < 0) throw std::invalid_argument("a negative start");
  }

  void handle(Context&, const Increment& increment) { value_ += increment.by; }
  std::int64_t handle(Context&, const Read&) { return value_; }

  Identity handle(Context&, const WhoAreYou&) {
    Identity identity{.pid = ::getpid(), .parent = ::getppid()};
    for (const char* name : {"HOSTMESH_RANK", "HOSTMESH_WORLD_SIZE", "HOSTMESH_HOST_RANK",
                             "HOSTMESH_LOCAL_RANK", "HOSTMESH_LOCAL_WORLD_SIZE", "HOSTMESH_POINT"}) {
      const char* value = std::getenv(name);
      identity.variables.emplace_back(value == nullptr ? "" : value);
    }
    return identity;
  }

  void handle(Context& context, const Visit& visit) {
    Visit next = visit;
    next.seen.push_back(context.self());
    if (next.ahead.empty()) {
      context.send(next.home, next.seen);
      return;
    }
    const auto to = ActorRef<Counter>::attest(next.ahead.front());
    next.ahead.erase(next.ahead.begin());
    context.send(to, next);
  }

  void handle(Context&, const Throw& order) { throw std::runtime_error(order.what); }

  void handle(Context&, const Die& order) {
    const rlimit no_core{};
    ::setrlimit(RLIMIT_CORE, &no_core);
    std::signal(order.signal, SIG_DFL);
    ::kill(::getpid(), order.signal);
  }

  void handle(Context&, const Wait&, Reply<std::int64_t> reply) { unanswered_.push_back(std::move(reply)); }

 private:
  std::int64_t value_;
  std::vector<Reply<std::int64_t>> unanswered_;
};

inline ActorTable test_actors() {
  ActorTable table;
  table.add<Counter>("counter");
  return table;
}

}  // namespace hostmesh::test
