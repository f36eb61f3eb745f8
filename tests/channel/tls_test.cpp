// TLS under a connection: who is let in, who is told what, and what a hostile way between the two can do.
#include "hostmesh/channel/detail/tls.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <functional>
#include <random>

#include "channel/support.hpp"
#include "hostmesh/channel/detail/socket.hpp"
#include "hostmesh/channel/detail/tls_identity.hpp"

namespace hostmesh::test {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

Config tls_config(Duration handshake_timeout = kHang) {
  Config config;
  config.set(ConfigLayer::kRuntime, attribute::kTcpTlsLoopback, true);
  config.set(ConfigLayer::kRuntime, attribute::kHandshakeTimeout, handshake_timeout);
  config.set(ConfigLayer::kRuntime, attribute::kSessionGrace, Duration::zero());
  return config;
}

ChannelAddr any_tcp() {
  return ChannelAddr::any(Transport::kTcp);
}

UniqueFd raw_socket(const ChannelAddr& addr) {
  auto socket = detail::new_socket(addr);
  const auto address = detail::socket_address(addr);
  ::fcntl(socket->get(), F_SETFL, 0);
  const timeval bound{.tv_sec = 60, .tv_usec = 0};
  ::setsockopt(socket->get(), SOL_SOCKET, SO_RCVTIMEO, &bound, sizeof bound);
  if (::connect(socket->get(), address->get(), address->size) != 0) throw Error(Cause::kIo, "no connection");
  return *std::move(socket);
}

Bytes read_to_end(int socket) {
  Bytes all;
  std::array<std::uint8_t, 4096> buffer;
  while (true) {
    const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
    if (count <= 0) return all;
    all.insert(all.end(), buffer.begin(), buffer.begin() + count);
  }
}

// Stands between a dialler and a listener, and sees and decides what passes. One connection.
class Between {
 public:
  // What to do with bytes on their way to the listener, or back; false cuts both sides.
  using Judge = std::function<bool(Bytes& bytes, bool to_listener)>;

  Between(const ChannelAddr& listener, Judge judge) : listener_(listener), judge_(std::move(judge)) {
    auto socket = detail::new_socket(listener);
    const auto address = detail::socket_address(any_tcp());
    ::fcntl(socket->get(), F_SETFL, 0);
    if (::bind(socket->get(), address->get(), address->size) != 0 || ::listen(socket->get(), 16) != 0) {
      throw Error(Cause::kIo, "no socket between");
    }
    addr_ = *detail::socket_name(socket->get(), detail::SocketEnd::kLocal);
    accepting_ = *std::move(socket);
    thread_ = std::thread([this] { run(); });
  }
  ~Between() {
    stopping_ = true;
    ::shutdown(accepting_.get(), SHUT_RDWR);
    thread_.join();
  }
  const ChannelAddr& addr() const { return addr_; }

 private:
  void run() {
    const UniqueFd near(::accept(accepting_.get(), nullptr, nullptr));
    if (!near) return;
    const UniqueFd far = raw_socket(listener_);
    while (!stopping_) {
      std::array<pollfd, 2> both{{{near.get(), POLLIN, 0}, {far.get(), POLLIN, 0}}};
      if (::poll(both.data(), both.size(), 100) < 0) return;
      for (std::size_t i = 0; i < 2; ++i) {
        if (both[i].revents == 0) continue;
        Bytes bytes(16 << 10);
        const ssize_t count = ::recv(both[i].fd, bytes.data(), bytes.size(), 0);
        if (count <= 0) return;
        bytes.resize(static_cast<std::size_t>(count));
        if (!judge_(bytes, i == 0)) return;
        (void)::send(both[1 - i].fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      }
    }
  }

  ChannelAddr listener_;
  Judge judge_;
  ChannelAddr addr_;
  UniqueFd accepting_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

class Tls : public ::testing::Test {
 protected:
  Error refused_dial(const ChannelAddr& addr, DialOptions options, const Config& config) {
    Dialling dialling(near_, addr, std::move(options), config);
    auto result = dialling.get();
    if (!result) return result.error();
    near_.call([&] { result = Result<std::shared_ptr<Connection>>(nullptr); });
    return Error(Cause::kNone, "connected");
  }
  static Error first_refusal(Server& server) {
    EXPECT_TRUE(server.refusals().wait([](const auto& all) { return !all.empty(); }));
    const auto all = server.refusals().get();
    return all.empty() ? Error() : all.front();
  }

  Loop near_;
  Loop far_;
};

TEST_F(Tls, NothingThatIsSaidPassesInTheClear) {
  Server server(far_, any_tcp(), tls_config());
  Watched<Bytes> passed;
  Between between(server.addr(), [&](Bytes& bytes, bool) {
    passed.change([&](Bytes& all) { all.insert(all.end(), bytes.begin(), bytes.end()); });
    return true;
  });
  const auto client = connect(near_, between.addr(), 0, tls_config());
  const auto accepted = server.take();
  accepted->start();

  client->send(SendClass::kControl, "the quick brown fox");

  ASSERT_TRUE(accepted->wait_messages(1));
  const Bytes all = passed.get();
  EXPECT_FALSE(has(text(all), "brown"));
  EXPECT_FALSE(has(text(all), "HMSH")) << "not even the inner handshake";
}

TEST_F(Tls, AWrongKeyIsRefusedAtOnceOnBothSides) {
  Server server(far_, any_tcp(), tls_config());
  DialOptions options = options_for(claim_of(3));
  options.key = key_for(Secret::random(), options.claim);

  const Error error = refused_dial(server.addr(), std::move(options), tls_config());

  EXPECT_EQ(error.cause(), Cause::kAuthentication) << error.text();
  EXPECT_TRUE(has(error.text(), "rank 3")) << error.text();
  EXPECT_TRUE(has(error.text(), "alert")) << error.text();
  const Error refusal = first_refusal(server);
  EXPECT_EQ(refusal.cause(), Cause::kAuthentication);
  EXPECT_TRUE(has(refusal.text(), "rank 3")) << refusal.text();
  EXPECT_TRUE(has(refusal.text(), "binder")) << refusal.text();
}

TEST_F(Tls, TheKeyOfAnotherRankIsAWrongKey) {
  Server server(far_, any_tcp(), tls_config());
  DialOptions options = options_for(claim_of(3));
  options.key = key_for(allocation_secret(), claim_of(4));

  EXPECT_EQ(refused_dial(server.addr(), std::move(options), tls_config()).cause(), Cause::kAuthentication);
}

TEST_F(Tls, AClaimThatNobodyMayMakeIsRefusedWithTheReasonOnOurSide) {
  ListenOptions options = Server::default_options();
  options.key_of = [](const PeerClaim&) -> Result<Secret> {
    return Error(Cause::kAuthentication, "the allocation is over");
  };
  Server server(far_, any_tcp(), tls_config(), std::move(options));

  const Error error = refused_dial(server.addr(), options_for(claim_of(3)), tls_config());

  EXPECT_EQ(error.cause(), Cause::kAuthentication) << error.text();
  EXPECT_TRUE(has(first_refusal(server).text(), "the allocation is over")) << first_refusal(server).text();
}

TEST_F(Tls, AListenerWithoutTheKeyIsNotBelieved) {
  ListenOptions options = Server::default_options();
  options.key_of = [](const PeerClaim& claim) -> Result<Secret> { return key_for(Secret::random(), claim); };
  Server server(far_, any_tcp(), tls_config(), std::move(options));

  EXPECT_EQ(refused_dial(server.addr(), options_for(claim_of(0)), tls_config()).cause(),
            Cause::kAuthentication);
}

TEST_F(Tls, AnAllocationOfTheLongestNameIsLetIn) {
  Server server(far_, any_tcp(), tls_config());
  PeerClaim claim = claim_of(std::numeric_limits<Rank>::max());
  claim.allocation = std::string(255, '/');

  Dialling dialling(near_, server.addr(), options_for(claim), tls_config());
  auto connection = dialling.get();

  ASSERT_TRUE(connection.has_value()) << connection.error().text();
  const End end(near_, *std::move(connection));
}

TEST_F(Tls, ADiallerWithoutTlsIsToldThatItIsRequired) {
  Server server(far_, any_tcp(), tls_config());

  const Error error = refused_dial(server.addr(), options_for(claim_of(0)), Config());

  EXPECT_EQ(error.cause(), Cause::kAuthentication) << error.text();
  EXPECT_TRUE(has(error.text(), "requires TLS")) << error.text();
  EXPECT_TRUE(has(first_refusal(server).text(), "does not speak TLS")) << first_refusal(server).text();
}

TEST_F(Tls, ADiallerWithTlsIsToldThatTheListenerHasNone) {
  Server server(far_, any_tcp(), Config());

  const Error error = refused_dial(server.addr(), options_for(claim_of(0)), tls_config());

  EXPECT_EQ(error.cause(), Cause::kAuthentication) << error.text();
  EXPECT_TRUE(has(error.text(), "protocol version")) << error.text();
  EXPECT_TRUE(has(first_refusal(server).text(), "TLS")) << first_refusal(server).text();
}

TEST_F(Tls, ARecordedFirstFlightOpensNothing) {
  Server server(far_, any_tcp(), tls_config());
  Watched<Bytes> recorded;
  Between between(server.addr(), [&](Bytes& bytes, bool to_listener) {
    if (to_listener) recorded.change([&](Bytes& all) { all.insert(all.end(), bytes.begin(), bytes.end()); });
    return true;
  });
  const auto client = connect(near_, between.addr(), 0, tls_config());
  ASSERT_TRUE(server.wait_accepted(1));

  const UniqueFd replaying = raw_socket(server.addr());
  const Bytes flight = recorded.get();
  ASSERT_FALSE(flight.empty());
  (void)::send(replaying.get(), flight.data(), flight.size(), MSG_NOSIGNAL);
  ::shutdown(replaying.get(), SHUT_WR);
  (void)read_to_end(replaying.get());

  (void)first_refusal(server);
  EXPECT_EQ(far_.call([&] { return server.listener().accepted(); }), 1U);
}

TEST_F(Tls, ABitChangedOnTheWayIsNoticedAndNeverDelivered) {
  Server server(far_, any_tcp(), tls_config());
  std::atomic<bool> changing = false;
  Between between(server.addr(), [&](Bytes& bytes, bool to_listener) {
    if (to_listener && changing) bytes.back() ^= 1;
    return true;
  });
  const auto client = connect(near_, between.addr(), 0, tls_config());
  const auto accepted = server.take();
  accepted->start();

  changing = true;
  client->send(SendClass::kControl, "pay 100");

  ASSERT_TRUE(accepted->wait_closed());
  const Seen seen = accepted->seen().get();
  EXPECT_TRUE(seen.messages.empty());
  EXPECT_FALSE(seen.closes[0].orderly);
  EXPECT_TRUE(has(seen.closes[0].text, "TLS")) << seen.closes[0].text;
}

TEST_F(Tls, AnEndOnTheWayIsAPeerThatIsGoneAndNoGoodbye) {
  Server server(far_, any_tcp(), tls_config());
  std::atomic<bool> cutting = false;
  Between between(server.addr(), [&](Bytes&, bool) { return !cutting; });
  const auto client = connect(near_, between.addr(), 0, tls_config());
  const auto accepted = server.take();
  accepted->start();
  client->start();

  cutting = true;
  client->close("an orderly end", kHang);

  ASSERT_TRUE(accepted->wait_closed());
  EXPECT_FALSE(accepted->seen().get().closes[0].orderly);
  EXPECT_EQ(accepted->seen().get().closes[0].cause, Cause::kPeerGone);
}

TEST_F(Tls, GarbageHurtsNobodyElse) {
  Server server(far_, any_tcp(), tls_config());
  const auto client = connect(near_, server.addr(), 0, tls_config());
  const auto accepted = server.take();
  accepted->start();
  std::mt19937 random(1);

  for (std::size_t i = 0; i < 50; ++i) {
    const UniqueFd peer = raw_socket(server.addr());
    Bytes garbage(1 + random() % 40'000);
    for (auto& byte : garbage) byte = static_cast<std::uint8_t>(random());
    if (i % 2 == 0 && garbage.size() > 5) {  // a record of TLS, and one of the longest
      const std::array<std::uint8_t, 5> header{22, 3, 1, 0x40, 0};
      std::copy(header.begin(), header.end(), garbage.begin());
    }
    (void)::send(peer.get(), garbage.data(), garbage.size(), MSG_NOSIGNAL);
    ::shutdown(peer.get(), SHUT_WR);
    (void)read_to_end(peer.get());
  }

  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return all.size() >= 50; }));
  EXPECT_EQ(client->send(SendClass::kControl, "healthy"), SendResult::kQueued);
  EXPECT_TRUE(accepted->wait_messages(1));
}

TEST_F(Tls, WhoSaysNothingIsClosedInTime) {
  Server server(far_, any_tcp(), tls_config(50ms));

  const UniqueFd silent = raw_socket(server.addr());

  EXPECT_TRUE(read_to_end(silent.get()).empty());
  EXPECT_EQ(first_refusal(server).cause(), Cause::kTimeout);
}

TEST_F(Tls, IsWhatAddressesBeyondThisMachineGetUnlessTheConfigurationSaysInsecure) {
  Config insecure;
  insecure.set(ConfigLayer::kRuntime, attribute::kTcpInsecure, true);
  const auto far_away = *ChannelAddr::parse("tcp:10.1.2.3:5");
  const auto near_by = *ChannelAddr::parse("tcp:127.0.0.1:5");
  const auto everywhere = *ChannelAddr::parse("tcp:0.0.0.0:5");

  EXPECT_TRUE(needs_tls(far_away, detail::Limits(Config())));
  EXPECT_TRUE(needs_tls(everywhere, detail::Limits(Config())));
  EXPECT_FALSE(needs_tls(near_by, detail::Limits(Config())));
  EXPECT_FALSE(needs_tls(ChannelAddr::any(Transport::kUnix), detail::Limits(tls_config())));
  EXPECT_TRUE(needs_tls(near_by, detail::Limits(tls_config())));
  EXPECT_FALSE(needs_tls(far_away, detail::Limits(insecure)));
}

TEST_F(Tls, AListenerEverywhereTellsOthersTheAdvertisedAddress) {
  ListenOptions options = Server::default_options();
  options.advertise = "127.0.0.1";
  Server server(far_, *ChannelAddr::parse("tcp:0.0.0.0:0"), Config(), std::move(options));

  EXPECT_EQ(server.addr().name(), "127.0.0.1");
  EXPECT_NE(server.addr().number(), 0U);
  const auto client = connect(near_, server.addr());
}

TEST(TlsIdentity, ReadsBackAsTheClaimAndNothingElseDoes) {
  for (const Role role : {Role::kChild, Role::kPeer}) {
    const PeerClaim claim{.role = role, .allocation = "a/b\n", .rank = 7, .incarnation = 2};
    const auto parsed = detail::parse_tls_identity(detail::tls_identity(claim));
    ASSERT_TRUE(parsed.has_value());
    EXPECT_EQ(*parsed, claim);
  }
  for (const char* text : {"", "hostmesh/1/", "hostmesh/1/child/07/0/a", "hostmesh/1/child/-1/0/a",
                           "hostmesh/1/king/1/0/a", "hostmesh/2/child/1/0/a", "hostmesh/1/child/1/0",
                           "hostmesh/1/child/1 /0/a", "hostmesh/1/child/99999999999999999999999/0/a"}) {
    EXPECT_FALSE(detail::parse_tls_identity(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace hostmesh::test
