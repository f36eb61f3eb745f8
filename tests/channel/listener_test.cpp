#include "hostmesh/channel/listener.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

#include "channel/support.hpp"

namespace hostmesh::test {
namespace {

class ListenerAndDial : public ::testing::Test {
 protected:
  Error listen_error(const ChannelAddr& addr) {
    return far_.call([&]() -> Error {
      auto result = Listener::listen(far_.reactor(), addr, Server::default_options(), Config(), nullptr);
      return result ? Error(Cause::kNone, "listening") : result.error();
    });
  }
  static bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
  }

  TemporaryFolder folder_;
  Loop near_;
  Loop far_;
};

TEST_F(ListenerAndDial, AWrongKeyIsRefusedOnBothSidesAndNamesTheClaim) {
  Server server(far_, ChannelAddr::any(Transport::kUnix));
  DialOptions options = options_for(claim_of(3));
  options.key = key_for(Secret::random(), claim_of(3));

  const Error error = dial_error(near_, server.addr(), options);

  EXPECT_EQ(error.cause(), Cause::kAuthentication);
  EXPECT_TRUE(has(error.text(), "child rank 3 incarnation 0 of 'alloc'")) << error.text();
  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return all.size() == 1; }));
  EXPECT_EQ(server.refusals().get()[0].cause(), Cause::kAuthentication);
  EXPECT_EQ(far_.call([&] { return server.listener().refused(); }), 1U);
  EXPECT_TRUE(has(far_.call([&] { return server.listener().last_refusal(); }), "child rank 3"));
}

TEST_F(ListenerAndDial, AChildCannotClaimAnotherRankOrIncarnation) {
  Server server(far_, ChannelAddr::any(Transport::kUnix));
  for (const PeerClaim& other :
       {claim_of(4), PeerClaim{.role = Role::kChild, .allocation = "alloc", .rank = 3, .incarnation = 1},
        PeerClaim{.role = Role::kPeer, .allocation = "alloc", .rank = 3}}) {
    DialOptions options = options_for(other);
    options.key = key_for(allocation_secret(), claim_of(3));
    EXPECT_EQ(dial_error(near_, server.addr(), options).cause(), Cause::kAuthentication) << to_string(other);
  }
}

TEST_F(ListenerAndDial, AClaimThatNobodyExpectsIsRefusedForGood) {
  ListenOptions options{.identity = "server", .key_of = [](const PeerClaim&) -> Result<Secret> {
                          return Error(Cause::kAuthentication, "rank 9 is not of this allocation");
                        }};
  Server server(far_, ChannelAddr::any(Transport::kUnix), Config(), std::move(options));

  const Error error = dial_error(near_, server.addr(), options_for(claim_of(9)));

  EXPECT_EQ(error.cause(), Cause::kAuthentication);
  ASSERT_TRUE(server.refusals().wait([](const auto& all) { return all.size() == 1; }));
  EXPECT_TRUE(has(server.refusals().get()[0].text(), "rank 9 is not of this allocation"));
}

TEST_F(ListenerAndDial, AListenerOfAnotherIdentityIsNotTaken) {
  Server server(far_, ChannelAddr::any(Transport::kUnix));
  DialOptions options = options_for(claim_of(0));
  options.expected_server_identity = "somebody";

  const Error error = dial_error(near_, server.addr(), options);

  EXPECT_EQ(error.cause(), Cause::kAuthentication);
  EXPECT_TRUE(has(error.text(), "is 'server', not 'somebody'")) << error.text();
  EXPECT_TRUE(server.refusals().wait([](const auto& all) { return all.size() == 1; }));
}

TEST_F(ListenerAndDial, DiallingBeforeAnybodyListensConnectsLater) {
  for (const ChannelAddr& addr :
       {ChannelAddr::any(Transport::kUnix), ChannelAddr::unix_path(folder_.file("later"))}) {
    Dialling dialling(near_, addr, options_for(claim_of(0)));
    near_.call([] {});
    EXPECT_FALSE(dialling.done());

    Server server(far_, addr);

    auto connection = dialling.get();
    ASSERT_TRUE(connection.has_value()) << connection.error().text();
    const End client(near_, *std::move(connection));
  }
}

TEST_F(ListenerAndDial, ALocalNumberThatNobodyHasFailsAtOnce) {
  EXPECT_EQ(dial_error(near_, ChannelAddr::local(1u << 30), options_for(claim_of(0))).cause(),
            Cause::kUnroutable);
  ChannelAddr past;
  {
    Server server(far_, ChannelAddr::any(Transport::kLocal));
    past = server.addr();
  }
  const Error error = dial_error(near_, past, options_for(claim_of(0)));
  EXPECT_EQ(error.cause(), Cause::kUnroutable);
  EXPECT_TRUE(has(error.text(), "nobody listens at " + past.text()));
}

TEST_F(ListenerAndDial, TheDeadlineEndsADialAndNamesTheLastFailure) {
  const Error error =
      dial_error(near_, ChannelAddr::unix_path(folder_.file("nobody")), options_for(claim_of(0), 30ms));

  EXPECT_EQ(error.cause(), Cause::kTimeout);
  EXPECT_TRUE(has(error.text(), "phase connect")) << error.text();
  EXPECT_TRUE(has(error.text(), "ENOENT")) << error.text();
}

// At every turn of the one reactor that both ends live on, so that some bytes are always on their way.
TEST_F(ListenerAndDial, ADialThatIsDestroyedAtAnyTurnSaysNothing) {
  Server server(near_, ChannelAddr::any(Transport::kLocal));
  for (int turns = 0; turns < 40; ++turns) {
    auto calls = std::make_shared<int>(0);
    auto dialling = std::make_shared<std::unique_ptr<Dial>>();
    auto done = std::make_shared<std::promise<int>>();
    std::function<void(int)> wait = [&](int left) {
      if (left > 0) return near_.reactor().post([&wait, left] { wait(left - 1); });
      const int before = *calls;
      dialling->reset();
      near_.reactor().post(
          [&, before] { near_.reactor().post([&, before] { done->set_value(*calls - before); }); });
    };
    near_.call([&] {
      *dialling = dial(near_.reactor(), server.addr(), options_for(claim_of(0)), Config(),
                       [calls](const Result<std::shared_ptr<Connection>>&) { ++*calls; });
      wait(turns);
    });
    EXPECT_EQ(done->get_future().get(), 0) << turns << " turns";
  }
}

TEST_F(ListenerAndDial, ADestroyedDialSaysNothing) {
  Watched<int> calls;
  near_.call([&] {
    auto dialling =
        dial(near_.reactor(), ChannelAddr::any(Transport::kUnix), options_for(claim_of(0)), Config(),
             [&](Result<std::shared_ptr<Connection>>) { calls.change([](int& n) { ++n; }); });
    dialling.reset();
  });
  near_.call([] {});
  EXPECT_EQ(calls.get(), 0);
}

TEST_F(ListenerAndDial, AddressesThatCannotBeAreRefused) {
  EXPECT_EQ(listen_error(ChannelAddr::local(7)).cause(), Cause::kInvalidArgument);
  EXPECT_EQ(listen_error(ChannelAddr()).cause(), Cause::kInvalidArgument);
  EXPECT_TRUE(has(listen_error(ChannelAddr::unix_abstract(std::string(108, 'x'))).text(), "has 108 bytes"));
  EXPECT_EQ(dial_error(near_, ChannelAddr::any(Transport::kTcp), options_for(claim_of(0))).cause(),
            Cause::kInvalidArgument);
  EXPECT_EQ(dial_error(near_, ChannelAddr(), options_for(claim_of(0))).cause(), Cause::kInvalidArgument);
  DialOptions keyless = options_for(claim_of(0));
  keyless.key = Secret();
  EXPECT_EQ(dial_error(near_, ChannelAddr::any(Transport::kUnix), keyless).cause(), Cause::kInvalidArgument);
}

TEST_F(ListenerAndDial, AnAbstractNameOfFullLengthWorks) {
  Server server(far_,
                ChannelAddr::unix_abstract(ChannelAddr::any(Transport::kUnix).name() + std::string(83, 'y')));
  const auto client = connect(near_, server.addr());
  EXPECT_TRUE((*client)->is_open());
}

TEST_F(ListenerAndDial, APathSocketIsPrivateAndGoneAfterwards) {
  const std::string path = folder_.file("socket");
  {
    Server server(far_, ChannelAddr::unix_path(path));
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ListenerAndDial, APathSocketLeftBehindIsReplacedButNotALiveOne) {
  const std::string path = folder_.file("socket");
  const std::string moved = folder_.file("moved");
  {
    Server dead(far_, ChannelAddr::unix_path(path));
    std::filesystem::rename(path, moved);  // so that it survives its listener
  }
  std::filesystem::rename(moved, path);

  Server server(far_, ChannelAddr::unix_path(path));

  const Error error = listen_error(ChannelAddr::unix_path(path));
  EXPECT_EQ(error.info().os_error, EADDRINUSE) << error.text();
  const auto client = connect(near_, server.addr());
  EXPECT_TRUE((*client)->is_open());
}

TEST_F(ListenerAndDial, AFileThatIsNoSocketIsLeftAlone) {
  const std::string path = folder_.file("precious");
  ::close(::creat(path.c_str(), 0600));
  EXPECT_EQ(listen_error(ChannelAddr::unix_path(path)).info().os_error, EADDRINUSE);
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(ListenerAndDial, ATcpListenerSaysItsPort) {
  Server server(far_, ChannelAddr::any(Transport::kTcp));
  EXPECT_NE(server.addr().number(), 0U);
  EXPECT_TRUE(server.addr().text().starts_with("tcp:127.0.0.1:"));
}

TEST_F(ListenerAndDial, ConnectionsOutliveTheirListener) {
  Server server(far_, ChannelAddr::any(Transport::kUnix));
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  server.stop();
  accepted->start();

  client->send(SendClass::kControl, "still here");

  EXPECT_TRUE(accepted->wait_messages(1));
}

TEST_F(ListenerAndDial, AListenerMayBeDestroyedByWhatItCalls) {
  std::unique_ptr<Listener> listener;
  std::shared_ptr<Connection> accepted;
  Watched<int> calls;
  const auto addr = far_.call([&] {
    listener =
        *Listener::listen(far_.reactor(), ChannelAddr::any(Transport::kUnix), Server::default_options(),
                          Config(), [&](std::shared_ptr<Connection> connection) {
                            listener.reset();
                            accepted = std::move(connection);
                            calls.change([](int& n) { ++n; });
                          });
    return listener->addr();
  });

  const auto client = connect(near_, addr);

  EXPECT_TRUE(calls.wait([](int n) { return n == 1; }));
  far_.call([&] { accepted.reset(); });
}

}  // namespace
}  // namespace hostmesh::test
