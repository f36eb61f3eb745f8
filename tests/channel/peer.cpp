// A process for the tests to kill: `peer ADDRESS [USER]`, the secret on stdin. Becomes USER, connects as rank
// 0, says "ready" and sends without end. Exits with 1 when it cannot connect within its bound, or is told to
// go by its stdin.
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "hostmesh/base/config.hpp"
#include "hostmesh/channel/dial.hpp"

int main(int argc, char** argv) {
  using namespace hostmesh;
  using namespace std::chrono_literals;
  if (argc < 2) return 2;
  std::array<std::uint8_t, Secret::kSize> secret{};
  if (::read(STDIN_FILENO, secret.data(), secret.size()) != static_cast<ssize_t>(secret.size())) return 2;
  if (argc > 2 && *argv[2] != '\0' && ::setuid(static_cast<uid_t>(std::atoi(argv[2]))) != 0) return 3;
  const auto addr = ChannelAddr::parse(argv[1]);
  if (!addr) return 2;

  Reactor reactor;
  std::shared_ptr<Connection> connection;
  std::function<void()> send_more = [&] {
    while (connection->send(SendClass::kBulk, Bytes(1 << 20)) == SendResult::kQueued) {
    }
  };
  const PeerClaim claim{
      .role = Role::kChild, .allocation = "alloc", .rank = 0, .incarnation = 0, .process = "peer"};
  DialOptions options{
      .claim = claim, .key = key_for(Secret(secret), claim), .deadline = Deadline::after(20s)};
  const auto dialling = dial(reactor, *addr, std::move(options), Config(), [&](auto result) {
    if (!result) ::_exit(1);
    connection = *std::move(result);
    connection->start({.on_close = [](const CloseReason&) { ::_exit(1); }, .on_drained = send_more});
    connection->send(SendClass::kControl, Bytes{'r', 'e', 'a', 'd', 'y'});
    send_more();
  });
  reactor.run();
  return 0;
}
