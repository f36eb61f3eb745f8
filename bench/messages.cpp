// bench-messages unix|tcp roundtrip|oneway COUNT [CPU]: 64-byte messages between two processes over a
// Connection.
#include <cstdio>

#include "hostmesh/channel/dial.hpp"
#include "hostmesh/channel/listener.hpp"
#include "two_processes.hpp"

namespace {

using namespace hostmesh;

Secret shared_secret() {
  return Secret(Nonce{1, 2, 3});
}
const PeerClaim kClaim{
    .role = Role::kPeer, .allocation = "bench", .rank = 0, .incarnation = 0, .process = {}};

Bytes message() {
  return Bytes(bench::kMessageBytes);
}

// The other side: sends back what comes, or counts it and says when all has come.
[[noreturn]] void peer(const bench::MessageOptions& options, const ChannelAddr& addr) {
  Reactor reactor;
  std::shared_ptr<Connection> connection;
  int received = 0;
  const auto dialling = dial(reactor, addr,
                             {.claim = kClaim,
                              .key = key_for(shared_secret(), kClaim),
                              .deadline = Deadline::after(std::chrono::seconds(20))},
                             Config(), [&](Result<std::shared_ptr<Connection>> made) {
                               if (!made) ::_exit(1);
                               connection = *std::move(made);
                               connection->start({.on_message =
                                                      [&](ByteView, SendClass) {
                                                        ++received;
                                                        const bool answer =
                                                            !options.one_way || received == bench::kWarmUp ||
                                                            received == bench::kWarmUp + options.count;
                                                        if (answer)
                                                          connection->send(SendClass::kControl, message());
                                                      },
                                                  .on_close = [](const CloseReason&) { ::_exit(0); },
                                                  .on_drained = nullptr});
                             });
  reactor.run();
  ::_exit(1);
}

class Sender {
 public:
  Sender(Reactor& reactor, const bench::MessageOptions& options, std::shared_ptr<Connection> connection)
      : reactor_(reactor), options_(options), connection_(std::move(connection)) {
    connection_->start({.on_message = [this](ByteView, SendClass) { answered(); },
                        .on_close = [](const CloseReason&) { std::exit(1); },
                        .on_drained = [this] { send_more(); }});
    begin(bench::kWarmUp);
  }

  double ms = 0;
  double cpu = 0;

 private:
  void begin(int count) {
    left_ = count;
    start_ = bench::Clock::now();
    cpu_start_ = bench::cpu_ms(RUSAGE_SELF);
    send_more();
  }
  void send_more() {
    if (!options_.one_way) {
      --left_;
      connection_->send(SendClass::kBulk, message());
      return;
    }
    while (left_ > 0 && connection_->send(SendClass::kBulk, message()) == SendResult::kQueued) --left_;
  }
  void answered() {
    if (left_ > 0) return send_more();
    ms = bench::ms_since(start_);
    cpu = bench::cpu_ms(RUSAGE_SELF) - cpu_start_;
    if (std::exchange(warm_, true)) return reactor_.stop();
    begin(options_.count);
  }

  Reactor& reactor_;
  const bench::MessageOptions& options_;
  std::shared_ptr<Connection> connection_;
  int left_ = 0;
  bool warm_ = false;
  bench::Clock::time_point start_;
  double cpu_start_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::message_options(argc, argv);
  // The peer inherits the address and dials until somebody listens; a port is not known before, so it is told
  // by a pipe.
  int tell[2];
  if (::pipe(tell) != 0) return 1;
  const pid_t child = bench::fork_peer();
  if (child == 0) {
    char text[200] = {};
    if (::read(tell[0], text, sizeof text - 1) <= 0) ::_exit(1);
    peer(options, *ChannelAddr::parse(text));
  }
  Reactor reactor;
  std::unique_ptr<Sender> sender;
  const auto transport = options.transport == "tcp" ? Transport::kTcp : Transport::kUnix;
  auto listener = Listener::listen(
      reactor, ChannelAddr::any(transport),
      {.identity = "bench",
       .key_of = [](const PeerClaim& claim) -> Result<Secret> { return key_for(shared_secret(), claim); },
       .on_refused = nullptr},
      Config(), [&](std::shared_ptr<Connection> connection) {
        sender = std::make_unique<Sender>(reactor, options, std::move(connection));
      });
  if (!listener) return 1;
  const std::string text = (*listener)->addr().text();
  if (::write(tell[1], text.data(), text.size()) < 0) return 1;
  reactor.run();
  const double ms = sender->ms;
  const double cpu = sender->cpu;
  sender.reset();
  bench::report(options, ms, child, cpu);
  ::_exit(0);
}
