// What the channel tests share: reactors on threads of their own, and a thread-safe record of what a
// connection said.
#pragma once

#include <gtest/gtest.h>

#include <condition_variable>
#include <filesystem>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/channel/connection.hpp"
#include "hostmesh/channel/dial.hpp"
#include "hostmesh/channel/listener.hpp"
#include "support/leaks.hpp"

namespace hostmesh::test {

using namespace std::chrono_literals;

// A bound on a hang, never a measure.
inline constexpr Duration kHang = 60s;

inline Bytes bytes(std::string_view text) {
  return Bytes(text.begin(), text.end());
}
inline std::string text(ByteView view) {
  return std::string(view.begin(), view.end());
}

// What tests that say nothing else run with; changed by TlsForced alone.
inline Config& test_config() {
  static Config config;
  return config;
}

// Tcp of this machine is TLS too while one of these lives.
class TlsForced {
 public:
  TlsForced() { test_config().set(ConfigLayer::kTestOverride, attribute::kTcpTlsLoopback, true); }
  ~TlsForced() { test_config().set(ConfigLayer::kTestOverride, attribute::kTcpTlsLoopback, false); }
  TlsForced(const TlsForced&) = delete;
  TlsForced& operator=(const TlsForced&) = delete;
};

// A reactor with a thread. Whatever lives on it must be destroyed through call() before.
class Loop {
 public:
  Loop() : thread_([this] { reactor_.run(); }) {}
  ~Loop() {
    reactor_.post([this] { reactor_.stop(); });
    thread_.join();
  }
  Reactor& reactor() { return reactor_; }

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

 private:
  Reactor reactor_;
  std::thread thread_;
};

// Something that is written on a reactor and waited for by the test.
template <class T>
class Watched {
 public:
  template <class F>
  void change(F edit) {
    // Under the lock, because whoever waited may destroy this next.
    const std::scoped_lock lock(mutex_);
    edit(value_);
    changed_.notify_all();
  }
  // False after kHang.
  template <class P>
  [[nodiscard]] bool wait(P predicate) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kHang, [&] { return predicate(value_); });
  }
  T get() {
    const std::scoped_lock lock(mutex_);
    return value_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  T value_{};
};

struct Seen {
  std::vector<std::pair<SendClass, std::string>> messages;
  std::vector<CloseReason> closes;
  int drained = 0;
};

// One end of a connection, and what it saw.
class End {
 public:
  End(Loop& loop, std::shared_ptr<Connection> connection) : loop_(loop), connection_(std::move(connection)) {}
  ~End() {
    loop_.call([this] { connection_.reset(); });
  }
  Connection& operator*() { return *connection_; }
  Connection* operator->() { return connection_.get(); }
  Watched<Seen>& seen() { return *seen_; }

  void start() {
    loop_.call([this] { connection_->start(events()); });
  }
  Connection::Events events() {
    return {.on_message =
                [seen = seen_](ByteView message, SendClass send_class) {
                  seen->change([&](Seen& s) { s.messages.emplace_back(send_class, text(message)); });
                },
            .on_close =
                [seen = seen_](const CloseReason& reason) {
                  seen->change([&](Seen& s) { s.closes.push_back(reason); });
                },
            .on_drained = [seen = seen_] { seen->change([](Seen& s) { ++s.drained; }); }};
  }
  SendResult send(SendClass send_class, std::string_view what) {
    return loop_.call([&] { return connection_->send(send_class, bytes(what)); });
  }
  void close(std::string why, Duration within = kHang) {
    loop_.call([&] { connection_->close(std::move(why), within); });
  }
  [[nodiscard]] bool wait_messages(std::size_t count) {
    return seen_->wait([count](const Seen& s) { return s.messages.size() >= count; });
  }
  [[nodiscard]] bool wait_closed() {
    return seen_->wait([](const Seen& s) { return !s.closes.empty(); });
  }
  Loop& loop() { return loop_; }
  std::shared_ptr<Connection> shared() { return connection_; }
  void drop() {
    loop_.call([this] { connection_.reset(); });
  }

 private:
  Loop& loop_;
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Watched<Seen>> seen_ = std::make_shared<Watched<Seen>>();
};

inline const Secret& allocation_secret() {
  static const Secret secret = Secret::random();
  return secret;
}
inline PeerClaim claim_of(Rank rank) {
  return {.role = Role::kChild, .allocation = "alloc", .rank = rank, .incarnation = 0, .process = "test"};
}

// A listener on its loop; the connections that it let in, in order.
class Server {
 public:
  Server(Loop& loop, const ChannelAddr& addr, Config config = test_config(),
         ListenOptions options = default_options())
      : loop_(loop) {
    options.on_refused = [refusals = refusals_](const Error& why, const std::string&) {
      refusals->change([&](std::vector<Error>& all) { all.push_back(why); });
    };
    auto listener = loop_.call([&] {
      return Listener::listen(loop_.reactor(), addr, std::move(options), config,
                              [this](std::shared_ptr<Connection> connection) {
                                connections_.change([&](auto& all) { all.push_back(std::move(connection)); });
                              });
    });
    if (!listener) throw listener.error();
    listener_ = *std::move(listener);
  }
  ~Server() {
    stop();
    loop_.call([this] { connections_.change([](auto& all) { all.clear(); }); });
  }
  static ListenOptions default_options() {
    return {.identity = "server", .key_of = [](const PeerClaim& claim) -> Result<Secret> {
              return key_for(allocation_secret(), claim);
            }};
  }
  void stop() {
    loop_.call([this] { listener_.reset(); });
  }
  const ChannelAddr& addr() const { return listener_->addr(); }
  Listener& listener() { return *listener_; }
  Watched<std::vector<Error>>& refusals() { return *refusals_; }
  [[nodiscard]] bool wait_accepted(std::size_t count) {
    return connections_.wait([count](const auto& all) { return all.size() >= count; });
  }
  std::unique_ptr<End> take(std::size_t index = 0) {
    EXPECT_TRUE(wait_accepted(index + 1));
    std::shared_ptr<Connection> taken;
    connections_.change([&](auto& all) { taken = std::exchange(all.at(index), nullptr); });
    return std::make_unique<End>(loop_, std::move(taken));
  }
  Loop& loop() { return loop_; }

 private:
  Loop& loop_;
  std::unique_ptr<Listener> listener_;
  Watched<std::vector<std::shared_ptr<Connection>>> connections_;
  std::shared_ptr<Watched<std::vector<Error>>> refusals_ = std::make_shared<Watched<std::vector<Error>>>();
};

inline DialOptions options_for(const PeerClaim& claim, Duration within = kHang) {
  return {.claim = claim, .key = key_for(allocation_secret(), claim), .deadline = Deadline::after(within)};
}

// A dial under way; get() waits for its result.
class Dialling {
 public:
  Dialling(Loop& loop, const ChannelAddr& addr, DialOptions options, const Config& config = test_config())
      : loop_(loop) {
    loop_.call([&] {
      dial_ = dial(loop_.reactor(), addr, std::move(options), config,
                   [result = result_](Result<std::shared_ptr<Connection>> done) {
                     result->change([&](auto& value) { value = std::move(done); });
                   });
    });
  }
  ~Dialling() {
    loop_.call([this] {
      dial_.reset();
      result_->change([](auto& value) { value.reset(); });
    });
  }
  Result<std::shared_ptr<Connection>> get() {
    EXPECT_TRUE(result_->wait([](const auto& value) { return value.has_value(); })) << "dial() never ended";
    Result<std::shared_ptr<Connection>> taken = Error(Cause::kInternal, "dial() never ended");
    result_->change([&](auto& value) {
      if (value) taken = std::exchange(*value, Result<std::shared_ptr<Connection>>(nullptr));
    });
    return taken;
  }
  bool done() { return result_->get().has_value(); }

 private:
  using Outcome = std::optional<Result<std::shared_ptr<Connection>>>;
  Loop& loop_;
  std::shared_ptr<Watched<Outcome>> result_ = std::make_shared<Watched<Outcome>>();
  std::unique_ptr<Dial> dial_;
};

inline std::unique_ptr<End> connect(Loop& loop, const ChannelAddr& addr, Rank rank = 0,
                                    const Config& config = test_config()) {
  Dialling dialling(loop, addr, options_for(claim_of(rank)), config);
  auto connection = dialling.get();
  if (!connection) throw connection.error();
  return std::make_unique<End>(loop, *std::move(connection));
}

inline Error dial_error(Loop& loop, const ChannelAddr& addr, DialOptions options) {
  Dialling dialling(loop, addr, std::move(options));
  auto result = dialling.get();
  if (!result) return result.error();
  loop.call([&] { result = Result<std::shared_ptr<Connection>>(nullptr); });
  return Error(Cause::kNone, "connected");
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hostmesh-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw Error(Cause::kIo, "no temporary folder");
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(std::string_view name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace hostmesh::test
