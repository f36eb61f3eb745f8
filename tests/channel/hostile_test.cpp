// Peers that are not what they should be: garbage, silence, floods, sudden death, other users.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <random>

#include "channel/support.hpp"
#include "hostmesh/channel/detail/handshake_messages.hpp"
#include "hostmesh/channel/detail/socket.hpp"

namespace hostmesh::test {
namespace {

// A socket without any protocol, used from the test's own thread.
class RawPeer {
 public:
  explicit RawPeer(const ChannelAddr& addr) {
    auto socket = detail::new_socket(addr);
    const auto address = detail::socket_address(addr);
    ::fcntl(socket->get(), F_SETFL, 0);
    const timeval bound{.tv_sec = 60, .tv_usec = 0};
    ::setsockopt(socket->get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
    connected_ = ::connect(socket->get(), address->get(), address->size) == 0;
    socket_ = *std::move(socket);
  }
  bool connected() const { return connected_; }
  // False when the other side is gone.
  bool send(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return false;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }
  Bytes receive(std::size_t size) {
    Bytes bytes(size);
    std::size_t got = 0;
    while (got < size) {
      const ssize_t count = ::recv(socket_.get(), bytes.data() + got, size - got, 0);
      if (count <= 0) break;
      got += static_cast<std::size_t>(count);
    }
    bytes.resize(got);
    return bytes;
  }
  Bytes receive_message(detail::HandshakeStep step) {
    detail::HandshakeReader reader(step);
    while (reader.wanted() > 0) {
      const Bytes part = receive(reader.wanted());
      if (part.empty() || !reader.take(part)) return {};
    }
    return Bytes(reader.message().begin(), reader.message().end());
  }
  // True once the other side has closed, whatever it sends before.
  bool sees_end() {
    std::array<std::uint8_t, 4096> buffer;
    while (true) {
      const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
      if (count == 0 || (count < 0 && errno != EAGAIN)) return true;
      if (count < 0) return false;
    }
  }
  // A correct handshake.
  bool shake_hands(const PeerClaim& claim) {
    const Bytes hello =
        encode(detail::ClientHello{.max_message = 1 << 20, .claim = claim, .nonce = random_nonce()});
    if (!send(hello)) return false;
    const Bytes answer = receive_message(detail::HandshakeStep::kServerHello);
    if (answer.empty()) return false;
    const Secret key = key_for(allocation_secret(), claim);
    return send(encode(detail::ClientFinish{.proof = key.prove(detail::client_transcript(hello, answer))}));
  }

 private:
  UniqueFd socket_;
  bool connected_ = false;
};

Bytes random_bytes(std::mt19937& random, std::size_t size) {
  Bytes bytes(size);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

class Hostile : public ::testing::TestWithParam<Transport> {
 protected:
  // A peer beside the hostile ones, which must not notice them.
  void expect_healthy(End& client, End& accepted) {
    const std::size_t before = accepted.seen().get().messages.size();
    EXPECT_EQ(client.send(SendClass::kControl, "healthy"), SendResult::kQueued);
    EXPECT_TRUE(accepted.wait_messages(before + 1));
  }
  Loop near_;
  Loop far_;
};
INSTANTIATE_TEST_SUITE_P(Transports, Hostile, ::testing::Values(Transport::kUnix, Transport::kTcp),
                         [](const auto& chosen_one) { return std::string(to_string(chosen_one.param)); });

TEST_P(Hostile, GarbageBeforeTheHandshakeHurtsNobodyElse) {
  Server server(far_, ChannelAddr::any(GetParam()));
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  accepted->start();
  std::mt19937 random(1);

  for (std::size_t i = 0; i < 50; ++i) {
    RawPeer peer(server.addr());
    ASSERT_TRUE(peer.connected());
    Bytes garbage = random_bytes(random, 1 + random() % 10'000);
    if (i % 2 == 0) {
      const Bytes magic{'H', 'M', 'S', 'H'};
      garbage.insert(garbage.begin(), magic.begin(), magic.end());
    }
    if (i % 5 == 0) {  // a whole message of nonsense
      garbage.resize(600);
      garbage[4] = static_cast<std::uint8_t>(594 & 0xff);
      garbage[5] = static_cast<std::uint8_t>(594 >> 8);
    }
    peer.send(garbage);
    EXPECT_TRUE(i % 2 == 0 || peer.sees_end());
  }

  EXPECT_TRUE(server.refusals().wait([](const auto& all) { return all.size() >= 50; }));
  expect_healthy(*client, *accepted);
}

TEST_P(Hostile, GarbageAfterTheHandshakeClosesThatConnectionWithAReason) {
  Server server(far_, ChannelAddr::any(GetParam()));
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  accepted->start();
  std::mt19937 random(2);

  for (std::size_t i = 1; i <= 30; ++i) {
    RawPeer peer(server.addr());
    ASSERT_TRUE(peer.shake_hands(claim_of(i)));
    const auto victim = server.take(i);
    victim->start();
    Bytes garbage = random_bytes(random, 100 + random() % 5000);
    garbage[3] |= 1;  // no frame is that long
    peer.send(garbage);
    ASSERT_TRUE(victim->wait_closed());
    EXPECT_EQ(victim->seen().get().closes[0].cause, Cause::kProtocol);
    EXPECT_NE(victim->seen().get().closes[0].text.find("broke the protocol"), std::string::npos);
    EXPECT_TRUE(peer.sees_end());
  }

  expect_healthy(*client, *accepted);
}

TEST_P(Hostile, AWrongProofIsRefused) {
  Server server(far_, ChannelAddr::any(GetParam()));
  RawPeer peer(server.addr());
  ASSERT_TRUE(peer.send(encode(detail::ClientHello{.max_message = 1000, .claim = claim_of(5)})));
  ASSERT_FALSE(peer.receive_message(detail::HandshakeStep::kServerHello).empty());

  ASSERT_TRUE(peer.send(encode(detail::ClientFinish{})));

  EXPECT_TRUE(peer.sees_end());
  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return all.size() == 1; }));
  EXPECT_EQ(server.refusals().get()[0].cause(), Cause::kAuthentication);
  EXPECT_NE(server.refusals().get()[0].text().find("could not prove"), std::string::npos);
}

TEST_P(Hostile, AnotherProtocolVersionIsAnErrorThatNamesBothSides) {
  Server server(far_, ChannelAddr::any(GetParam()));
  RawPeer peer(server.addr());
  ASSERT_TRUE(peer.send(encode(detail::ClientHello{.versions = {7, 9}, .claim = claim_of(5)})));

  const auto answer = detail::decode_server_hello(peer.receive_message(detail::HandshakeStep::kServerHello));

  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->verdict, detail::Verdict::kVersion);
  EXPECT_EQ(answer->versions, detail::kOurVersions);
  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return all.size() == 1; }));
  EXPECT_NE(server.refusals().get()[0].text().find("the dialler speaks 7 to 9, the listener only 1"),
            std::string::npos);
}

TEST_P(Hostile, AReplayedHandshakeIsRefused) {
  Server server(far_, ChannelAddr::any(GetParam()));
  const Bytes hello =
      encode(detail::ClientHello{.max_message = 1000, .claim = claim_of(1), .nonce = random_nonce()});
  Bytes finish;
  {
    RawPeer peer(server.addr());
    ASSERT_TRUE(peer.send(hello));
    const Bytes answer = peer.receive_message(detail::HandshakeStep::kServerHello);
    const Secret key = key_for(allocation_secret(), claim_of(1));
    finish = encode(detail::ClientFinish{.proof = key.prove(detail::client_transcript(hello, answer))});
    ASSERT_TRUE(peer.send(finish));
    ASSERT_TRUE(server.wait_accepted(1));
  }

  RawPeer replay(server.addr());
  ASSERT_TRUE(replay.send(hello));
  ASSERT_FALSE(replay.receive_message(detail::HandshakeStep::kServerHello).empty());
  ASSERT_TRUE(replay.send(finish));

  EXPECT_TRUE(replay.sees_end());
  EXPECT_TRUE(server.refusals().wait([](const auto& all) { return all.size() == 1; }));
}

TEST_P(Hostile, SilenceEndsWithTheHandshakeTimeout) {
  Config config;
  config.set(ConfigLayer::kRuntime, attribute::kHandshakeTimeout, Duration(50ms));
  Server server(far_, ChannelAddr::any(GetParam()), config);
  RawPeer silent(server.addr());
  RawPeer slow(server.addr());
  ASSERT_TRUE(slow.send(encode(detail::ClientHello{.max_message = 1000, .claim = claim_of(8)})));

  EXPECT_TRUE(silent.sees_end());
  EXPECT_TRUE(slow.sees_end());

  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return all.size() == 2; }));
  std::string reasons;
  for (const Error& each : server.refusals().get()) {
    EXPECT_EQ(each.cause(), Cause::kTimeout);
    reasons += each.text();
  }
  EXPECT_NE(reasons.find("child rank 8"), std::string::npos) << reasons;
}

TEST_P(Hostile, PeersOverTheHalfOpenCapAreTurnedAwayAndDiallersComeBack) {
  Config config;
  config.set(ConfigLayer::kRuntime, attribute::kMaxHalfOpen, std::uint64_t{3});
  Server server(far_, ChannelAddr::any(GetParam()), config);
  std::vector<std::unique_ptr<RawPeer>> idle;
  for (int i = 0; i < 3; ++i) idle.push_back(std::make_unique<RawPeer>(server.addr()));

  // when a fourth comes
  RawPeer fourth(server.addr());
  const auto answer =
      detail::decode_server_hello(fourth.receive_message(detail::HandshakeStep::kServerHello));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->verdict, detail::Verdict::kBusy);
  EXPECT_TRUE(fourth.sees_end());
  EXPECT_EQ(far_.call([&] { return server.listener().half_open(); }), 3U);

  // and a proper dialler, which is turned away too at first
  Dialling dialling(near_, server.addr(), options_for(claim_of(0)));
  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return all.size() >= 3; }));
  EXPECT_FALSE(dialling.done());
  idle.clear();

  // then it gets in once there is room
  auto connection = dialling.get();
  ASSERT_TRUE(connection.has_value()) << connection.error().text();
  const End client(near_, *std::move(connection));
}

// A listener that accepts and says what it likes.
TEST_P(Hostile, ADiallerDoesNotTrustAListenerThatCannotProveTheKey) {
  const auto addr = ChannelAddr::any(GetParam());
  auto socket = detail::new_socket(addr);
  const auto address = detail::socket_address(addr);
  ASSERT_EQ(::bind(socket->get(), address->get(), address->size), 0);
  ASSERT_EQ(::listen(socket->get(), 5), 0);
  ::fcntl(socket->get(), F_SETFL, 0);
  const auto bound =
      GetParam() == Transport::kTcp ? *detail::socket_name(socket->get(), detail::SocketEnd::kLocal) : addr;
  for (const bool garbage : {true, false}) {
    Dialling dialling(near_, bound, options_for(claim_of(0)));
    const UniqueFd accepted(::accept(socket->get(), nullptr, nullptr));
    Bytes answer = detail::encode_without_proof({.version = 1, .max_message = 99, .identity = "server"});
    answer.insert(answer.end(), 32, 1);
    if (garbage) answer = bytes("HTTP/1.1 400 Bad Request\r\n\r\n");
    ASSERT_EQ(::send(accepted.get(), answer.data(), answer.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(answer.size()));
    const auto result = dialling.get();
    ASSERT_FALSE(result.has_value());
    EXPECT_EQ(result.error().cause(), garbage ? Cause::kProtocol : Cause::kAuthentication)
        << result.error().text();
  }
}

// A process of ours at the other end: see peer.cpp.
class PeerProcess {
 public:
  PeerProcess(const ChannelAddr& addr, const std::string& user = "") {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) throw os_error(Cause::kIo, "pipe", errno);
    const UniqueFd read_end(pipe[0]);
    stdin_.reset(pipe[1]);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, read_end.get(), 0);
    std::string program = HOSTMESH_CHANNEL_PEER;
    std::string text = addr.text();
    std::string who = user;
    std::array<char*, 4> arguments{program.data(), text.data(), who.data(), nullptr};
    const int failed = ::posix_spawn(&pid_, program.c_str(), &actions, nullptr, arguments.data(), ::environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (failed != 0) throw os_error(Cause::kSpawnFailed, program, failed);
    const auto secret = allocation_secret().bytes();
    if (::write(stdin_.get(), secret.data(), secret.size()) != Secret::kSize)
      ADD_FAILURE() << "no secret sent";
  }
  ~PeerProcess() {
    if (pid_ > 0) kill();
  }
  void kill() {
    ::kill(pid_, SIGKILL);
    wait();
  }
  int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, 0), &status, 0);
    return status;
  }

 private:
  pid_t pid_ = 0;
  UniqueFd stdin_;
};

TEST_P(Hostile, APeerKilledInTheMiddleOfAMessageIsSeenAsGone) {
  Server server(far_, ChannelAddr::any(GetParam()));
  PeerProcess peer(server.addr());
  const auto accepted = server.take();
  accepted->start();
  ASSERT_TRUE(accepted->wait_messages(1));

  peer.kill();

  ASSERT_TRUE(accepted->wait_closed());
  const Seen seen = accepted->seen().get();
  EXPECT_FALSE(seen.closes[0].orderly);
  EXPECT_EQ(seen.closes[0].cause, Cause::kPeerGone) << seen.closes[0].text;
}

TEST(HostileUser, AnotherUsersProcessIsTurnedAwayOnUnixSockets) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can start a process of another user";
  Loop loop;
  Server server(loop, ChannelAddr::any(Transport::kUnix));

  PeerProcess peer(server.addr(), "65534");

  // The refusal is final for it: it exits long before its own bound.
  EXPECT_NE(peer.wait(), 0);
  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return !all.empty(); }));
  loop.call([] {});
  EXPECT_EQ(server.refusals().get().size(), 1U);
  const Error error = server.refusals().get()[0];
  EXPECT_EQ(error.cause(), Cause::kAuthentication);
  EXPECT_NE(error.text().find("belongs to user 65534"), std::string::npos) << error.text();
}

}  // namespace
}  // namespace hostmesh::test
