// What the actor tests share: systems on reactor threads of their own, links between them, and sample actors.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "hostmesh/actor/client.hpp"
#include "hostmesh/actor/context.hpp"
#include "hostmesh/actor/system.hpp"
#include "hostmesh/channel/dial.hpp"
#include "hostmesh/channel/listener.hpp"

namespace hostmesh::test {

using namespace std::chrono_literals;

// A bound on a hang, never a measure.
inline constexpr Duration kHang = 60s;
inline Deadline soon() {
  return Deadline::after(kHang);
}

// A reactor with a thread, and a system on it.
class Node {
 public:
  explicit Node(std::string name, ActorTable table = {}, Config config = Config())
      : name_(std::move(name)), config_(std::move(config)), thread_([this] { reactor_.run(); }) {
    system_ = std::make_unique<ActorSystem>(reactor_, config_, std::move(table));
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // On the reactor; waits.
  template <class F>
  auto call(F work) {
    std::promise<std::invoke_result_t<F>> promise;
    auto future = promise.get_future();
    reactor_.post([&] {
      if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
        work();
        promise.set_value();
      } else {
        promise.set_value(work());
      }
    });
    return future.get();
  }
  ~Node() {
    call([this] {
      keep_.clear();
      system_.reset();
    });
    reactor_.post([this] { reactor_.stop(); });
    thread_.join();
  }
  // Kept until the node ends, and then destroyed on the reactor.
  void keep(std::shared_ptr<void> what) { keep_.push_back(std::move(what)); }

  const std::string& name() const { return name_; }
  const Config& config() const { return config_; }
  Reactor& reactor() { return reactor_; }
  ActorSystem& system() { return *system_; }
  Router& router() { return system_->router(); }
  Proc& proc(const ProcId& id) { return system_->add_proc(id); }

 private:
  const std::string name_;
  const Config config_;
  Reactor reactor_;
  std::vector<std::shared_ptr<void>> keep_;
  std::unique_ptr<ActorSystem> system_;
  std::thread thread_;
};

inline ProcId direct(const std::string& addr_name, const std::string& name) {
  return ProcId::direct(ChannelAddr::unix_abstract(addr_name), name);
}

// A real connection from `from` to `to`, over a listener that is gone afterwards.
struct Ends {
  std::shared_ptr<Connection> from, to;
};
inline Ends connect(Node& from, Node& to, Transport transport = Transport::kUnix) {
  static const Secret secret = Secret::random();
  const PeerClaim claim{
      .role = Role::kPeer, .allocation = "alloc", .rank = 0, .incarnation = 0, .process = from.name()};
  std::promise<std::shared_ptr<Connection>> accepted;
  std::promise<Result<std::shared_ptr<Connection>>> dialled;
  auto listener = to.call([&] {
    return Listener::listen(
        to.reactor(), ChannelAddr::any(transport),
        {.identity = to.name(),
         .key_of = [](const PeerClaim& c) -> Result<Secret> { return key_for(secret, c); },
         .on_refused = nullptr},
        to.config(),
        [&](std::shared_ptr<Connection> connection) { accepted.set_value(std::move(connection)); });
  });
  if (!listener) throw listener.error();
  std::unique_ptr<Dial> dialling;
  from.call([&] {
    dialling = dial(
        from.reactor(), (*listener)->addr(),
        {.claim = claim, .key = key_for(secret, claim), .deadline = soon(), .expected_server_identity = {}},
        from.config(), [&](Result<std::shared_ptr<Connection>> done) { dialled.set_value(std::move(done)); });
  });
  Ends ends{value_or_throw(dialled.get_future().get()), accepted.get_future().get()};
  from.call([&] { dialling.reset(); });
  to.call([&] { listener->reset(); });
  return ends;
}

struct Links {
  std::shared_ptr<Link> from, to;
};
inline std::shared_ptr<Link> add_link(Node& node, std::shared_ptr<Connection>& connection,
                                      LinkOptions options) {
  auto added = node.call([&] { return node.router().add_link(std::move(connection), std::move(options)); });
  node.keep(added);
  return added;
}
// `from` knows `to` by its name, and the other way round.
inline Links link(Node& from, Node& to, Transport transport = Transport::kUnix) {
  Ends ends = connect(from, to, transport);
  return {add_link(from, ends.from, {.name = to.name(), .on_side_message = nullptr, .on_close = nullptr}),
          add_link(to, ends.to, {.name = from.name(), .on_side_message = nullptr, .on_close = nullptr})};
}

// A gate that actors wait at, or tests.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);  // kept for the notice too: who waits may destroy the gate
    open_ = true;
    changed_.notify_all();
  }
  [[nodiscard]] bool wait() {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kHang, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

// A list that handlers write and tests wait for.
template <class T>
class Record {
 public:
  void add(T value) {
    const std::lock_guard lock(mutex_);
    values_.push_back(std::move(value));
    changed_.notify_all();
  }
  [[nodiscard]] bool wait(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kHang, [&] { return values_.size() >= count; });
  }
  std::vector<T> get() {
    const std::lock_guard lock(mutex_);
    return values_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> values_;
};

struct Add {
  std::int64_t by = 0;
};
struct Read {
  using Reply = std::int64_t;
};
struct Fail {
  std::string text;
};
struct FailCalled {
  using Reply = std::int64_t;
  std::string text;
};
// Answered by the next Release, dropped by the next Forget.
struct Hold {
  using Reply = std::string;
};
struct Release {
  std::string text;
};
struct Forget {};
struct Refuse {
  using Reply = void;
  bool refuse = false;
};
struct Foreign {
  using Reply = std::int64_t;
};

class Counter : public Actor {
 public:
  using Handles = Messages<Add, Read, Fail, FailCalled, Hold, Release, Forget, Refuse>;
  explicit Counter(std::int64_t start = 0) : value_(start) {}

  void handle(Context&, const Add& message) { value_ += message.by; }
  std::int64_t handle(Context&, const Read&) { return value_; }
  void handle(Context&, const Fail& message) { throw std::runtime_error(message.text); }
  void handle(Context&, const FailCalled& message, Reply<std::int64_t>) {
    throw std::runtime_error(message.text);
  }
  void handle(Context&, const Hold&, Reply<std::string> reply) { held_.push_back(std::move(reply)); }
  void handle(Context&, const Release& message) {
    for (auto& reply : held_) reply(message.text);
    held_.clear();
  }
  void handle(Context&, const Forget&) { held_.clear(); }
  Result<> handle(Context&, const Refuse& message) {
    if (message.refuse) return Error(Cause::kInvalidArgument, "refused");
    return {};
  }

 private:
  std::int64_t value_;
  std::vector<Reply<std::string>> held_;
};

// Whatever is done in its turns is given to it.
struct Do {
  std::uint64_t which = 0;
};
class Scripted : public Actor {
 public:
  using Handles = Messages<Do>;
  using Script = std::function<void(Context&, std::uint64_t)>;
  explicit Scripted(Script script, std::function<void()> at_stop = nullptr)
      : script_(std::move(script)), at_stop_(std::move(at_stop)) {}
  void handle(Context& context, const Do& message) { script_(context, message.which); }
  void stopping(Context&) override {
    if (at_stop_) at_stop_();
  }

 private:
  Script script_;
  std::function<void()> at_stop_;
};

// The result of an asynchronous stop or removal, waited for.
template <class Start>
Result<> wait_for(Start start) {
  auto promise = std::make_shared<std::promise<Result<>>>();
  auto future = promise->get_future();
  start([promise](Result<> result) { promise->set_value(std::move(result)); });
  if (future.wait_for(kHang) != std::future_status::ready) return Error(Cause::kInternal, "it never ended");
  return future.get();
}

template <class R>
Cause cause_of(const Result<R>& result) {
  return result ? Cause::kNone : result.error().cause();
}

}  // namespace hostmesh::test
