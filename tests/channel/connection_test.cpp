#include "hostmesh/channel/connection.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include "channel/support.hpp"
#include "hostmesh/channel/detail/connection_impl.hpp"

namespace hostmesh::test {
namespace {

enum class Kind { kLocal, kAbstract, kPath, kTcp, kTls };

// Listener and dialler on two reactors, each with its thread.
class OverEach : public ::testing::TestWithParam<Kind> {
 protected:
  ChannelAddr any_addr() {
    switch (GetParam()) {
      case Kind::kLocal:
        return ChannelAddr::any(Transport::kLocal);
      case Kind::kAbstract:
        return ChannelAddr::any(Transport::kUnix);
      case Kind::kPath:
        return ChannelAddr::unix_path(folder_.file("socket"));
      case Kind::kTcp:
      case Kind::kTls:
        return ChannelAddr::any(Transport::kTcp);
    }
    return ChannelAddr();
  }

  // Both loops have gone through what was posted before. What a handler posts may be queued after what comes
  // from outside while it runs: only the second call comes after that.
  void settle() {
    for (int i = 0; i < 2; ++i) {
      near_.call([] {});
      far_.call([] {});
    }
  }

  std::unique_ptr<TlsForced> tls_{GetParam() == Kind::kTls ? new TlsForced : nullptr};
  TemporaryFolder folder_;
  Loop near_;
  Loop far_;
};

std::string name_of(const ::testing::TestParamInfo<Kind>& chosen) {
  constexpr const char* kNames[] = {"Local", "Abstract", "Path", "Tcp", "Tls"};
  return kNames[std::size_t(chosen.param)];
}
INSTANTIATE_TEST_SUITE_P(Transports, OverEach,
                         ::testing::Values(Kind::kLocal, Kind::kAbstract, Kind::kPath, Kind::kTcp,
                                           Kind::kTls),
                         name_of);

TEST_P(OverEach, MessagesArriveInOrderBothWays) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->start();
  accepted->start();

  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(client->send(SendClass::kControl, "c" + std::to_string(i)), SendResult::kQueued);
    ASSERT_EQ(accepted->send(SendClass::kBulk, "s" + std::to_string(i)), SendResult::kQueued);
  }

  ASSERT_TRUE(accepted->wait_messages(1000));
  ASSERT_TRUE(client->wait_messages(1000));
  for (std::size_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(accepted->seen().get().messages[i].second, "c" + std::to_string(i));
    EXPECT_EQ(client->seen().get().messages[i], std::pair(SendClass::kBulk, "s" + std::to_string(i)));
    if (HasFailure()) break;
  }
}

TEST_P(OverEach, BothEndsKnowTheVerifiedClaimAndTheIdentity) {
  Server server(far_, any_addr());

  const auto client = connect(near_, server.addr(), 42);
  const auto accepted = server.take();

  EXPECT_EQ((*client)->peer(), claim_of(42));
  EXPECT_EQ((*accepted)->peer(), claim_of(42));
  EXPECT_EQ((*client)->server_identity(), "server");
  EXPECT_EQ((*accepted)->server_identity(), "server");
  EXPECT_NE((*client)->description().find(server.addr().text()), std::string::npos);
  const bool is_unix = GetParam() == Kind::kAbstract || GetParam() == Kind::kPath;
  ASSERT_EQ((*client)->credentials().has_value(), is_unix);
  EXPECT_TRUE(!is_unix || (*accepted)->credentials()->pid == ::getpid());
}

TEST_P(OverEach, AHundredDiallersAreAllHeard) {
  Server server(far_, any_addr());
  std::vector<std::unique_ptr<Dialling>> diallings;
  for (Rank rank = 0; rank < 100; ++rank) {
    diallings.push_back(std::make_unique<Dialling>(near_, server.addr(), options_for(claim_of(rank))));
  }
  std::vector<std::unique_ptr<End>> clients;
  for (auto& dialling : diallings) {
    auto connection = dialling->get();
    ASSERT_TRUE(connection.has_value()) << connection.error().text();
    clients.push_back(std::make_unique<End>(near_, *std::move(connection)));
    clients.back()->send(SendClass::kControl, std::to_string(clients.size()));
  }

  ASSERT_TRUE(server.wait_accepted(100));
  std::multiset<std::string> heard;
  for (std::size_t i = 0; i < 100; ++i) {
    const auto accepted = server.take(i);
    accepted->start();
    ASSERT_TRUE(accepted->wait_messages(1));
    heard.insert(accepted->seen().get().messages[0].second);
  }
  EXPECT_EQ(std::set<std::string>(heard.begin(), heard.end()).size(), 100U);
}

TEST_P(OverEach, APeerThatVanishesIsSeenAsGone) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->start();

  accepted->drop();

  ASSERT_TRUE(client->wait_closed());
  const Seen seen = client->seen().get();
  EXPECT_FALSE(seen.closes[0].orderly);
  EXPECT_EQ(seen.closes[0].cause, Cause::kPeerGone);
  EXPECT_NE(seen.closes[0].text.find("without goodbye"), std::string::npos) << seen.closes[0].text;
  EXPECT_EQ(client->send(SendClass::kControl, "x"), SendResult::kClosed);
}

TEST_P(OverEach, CloseFlushesTenThousandMessagesAndIsOrderlyOnBothSides) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->start();
  near_.call([&] {
    for (int i = 0; i < 10'000; ++i) (*client)->send(SendClass::kControl, Bytes(100));
    (*client)->close("done", kHang);
  });
  EXPECT_EQ(client->send(SendClass::kControl, "late"), SendResult::kClosed);

  accepted->start();

  ASSERT_TRUE(accepted->wait_closed());
  ASSERT_TRUE(client->wait_closed());
  EXPECT_EQ(accepted->seen().get().messages.size(), 10'000U);
  for (End* end : {client.get(), accepted.get()}) {
    const Seen seen = end->seen().get();
    ASSERT_EQ(seen.closes.size(), 1U);
    EXPECT_TRUE(seen.closes[0].orderly) << seen.closes[0].text;
    EXPECT_EQ(seen.closes[0].text, "done");
  }
}

TEST_P(OverEach, AClosingConnectionFinishesWithoutItsOwner) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  near_.call([&] {
    for (int i = 0; i < 1000; ++i) (*client)->send(SendClass::kBulk, Bytes(4000));
    (*client)->close("left", kHang);
  });
  client->drop();

  accepted->start();

  ASSERT_TRUE(accepted->wait_closed());
  EXPECT_EQ(accepted->seen().get().messages.size(), 1000U);
  EXPECT_TRUE(accepted->seen().get().closes[0].orderly);
}

TEST_P(OverEach, BothSidesMayCloseAtOnce) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->start();
  accepted->start();

  near_.reactor().post([&] { (*client)->close("one", kHang); });
  far_.reactor().post([&] { (*accepted)->close("two", kHang); });

  ASSERT_TRUE(client->wait_closed());
  ASSERT_TRUE(accepted->wait_closed());
  EXPECT_TRUE(client->seen().get().closes[0].orderly);
  EXPECT_TRUE(accepted->seen().get().closes[0].orderly);
}

TEST_P(OverEach, AnOwnersAnswerToGoodbyeStillArrives) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  // given a peer with much queued for us
  far_.call([&] {
    for (int i = 0; i < 100; ++i) (*accepted)->send(SendClass::kControl, Bytes(50'000));
  });
  accepted->start();

  // when we close
  client->start();
  client->close("bye");

  // then it is delivered before the end
  ASSERT_TRUE(client->wait_closed());
  EXPECT_TRUE(client->seen().get().closes[0].orderly) << client->seen().get().closes[0].text;
  EXPECT_EQ(client->seen().get().messages.size(), 100U);
}

TEST_P(OverEach, ASlowReaderHoldsBackBulkButNotControl) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->start();
  // given a peer that does not read
  const std::string chunk(64 << 10, 'b');
  std::size_t queued = 0;
  while (client->send(SendClass::kBulk, chunk) == SendResult::kQueued) {
    ASSERT_LT(++queued, 10'000U) << "bulk was never full";
  }
  const std::size_t limit = test_config().get(attribute::kBulkQueueLimit);
  EXPECT_LE(near_.call([&] { return (*client)->queued_bytes(SendClass::kBulk); }), limit + chunk.size());

  // when control is sent, and the peer reads at last
  ASSERT_EQ(client->send(SendClass::kControl, "urgent"), SendResult::kQueued);
  accepted->start();

  // then it overtakes what waited, and there is room for bulk again
  ASSERT_TRUE(accepted->wait_messages(queued + 1));
  const Seen seen = accepted->seen().get();
  const auto urgent = std::find(seen.messages.begin(), seen.messages.end(),
                                std::pair(SendClass::kControl, std::string("urgent")));
  EXPECT_LT(urgent - seen.messages.begin(), static_cast<std::ptrdiff_t>(queued) - 10);
  ASSERT_TRUE(client->seen().wait([](const Seen& s) { return s.drained > 0; }));
  EXPECT_EQ(client->seen().get().drained, 1);
  EXPECT_EQ(client->send(SendClass::kBulk, chunk), SendResult::kQueued);
}

TEST_P(OverEach, ControlOvertakesALargeBulkMessageUnderWay) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->send(SendClass::kBulk, std::string(10 << 20, 'b'));
  ASSERT_EQ(client->send(SendClass::kControl, "stop"), SendResult::kQueued);

  accepted->start();

  ASSERT_TRUE(accepted->wait_messages(2));
  const Seen seen = accepted->seen().get();
  EXPECT_EQ(seen.messages[0].second, "stop");
  EXPECT_EQ(seen.messages[1].second, std::string(10 << 20, 'b'));
}

TEST_P(OverEach, ControlOverItsLimitEndsTheConnectionWithAReason) {
  Server server(far_, any_addr());
  Config config = test_config();
  config.set(ConfigLayer::kRuntime, attribute::kControlQueueLimit, std::uint64_t{1 << 20});
  const auto client = connect(near_, server.addr(), 0, config);
  const auto accepted = server.take();
  client->start();

  SendResult result = SendResult::kQueued;
  for (int i = 0; i < 1000 && result == SendResult::kQueued; ++i) {
    result = client->send(SendClass::kControl, std::string(64 << 10, 'c'));
  }

  EXPECT_EQ(result, SendResult::kClosed);
  ASSERT_TRUE(client->wait_closed());
  EXPECT_EQ(client->seen().get().closes[0].cause, Cause::kResourceLimit);
  EXPECT_NE(client->seen().get().closes[0].text.find("1048576 bytes of control"), std::string::npos);
}

TEST_P(OverEach, AMessageOverThePeersMaximumIsRefusedAndHurtsNothing) {
  Config config = test_config();
  config.set(ConfigLayer::kRuntime, attribute::kCodecMaxFrameLength, std::uint64_t{300'000});
  Server server(far_, any_addr(), config);
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  accepted->start();
  EXPECT_EQ((*client)->max_message_bytes(), 300'000U);

  EXPECT_EQ(client->send(SendClass::kBulk, std::string(300'001, 'x')), SendResult::kTooLarge);
  EXPECT_EQ(client->send(SendClass::kBulk, std::string(300'000, 'x')), SendResult::kQueued);

  ASSERT_TRUE(accepted->wait_messages(1));
  EXPECT_EQ(accepted->seen().get().messages[0].second.size(), 300'000U);
}

TEST_P(OverEach, FlushIsDoneWhenAllBeforeItIsOnItsWay) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  accepted->start();
  Watched<int> flushed;

  near_.call([&] {
    (*client)->flush([&] { flushed.change([](int& n) { ++n; }); });
    EXPECT_EQ(flushed.get(), 0) << "never inside the call";
    (*client)->send(SendClass::kBulk, Bytes(3 << 20));
    (*client)->flush([&] {
      EXPECT_EQ((*client)->queued_bytes(SendClass::kBulk), 0U);
      flushed.change([](int& n) { ++n; });
    });
  });

  EXPECT_TRUE(flushed.wait([](int n) { return n == 2; }));
}

TEST_P(OverEach, FlushEndsWithTheConnection) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->start();
  Watched<std::string> order;

  near_.call([&] {
    (*client)->send(SendClass::kBulk, Bytes(30 << 20));
    (*client)->flush([&] { order.change([](std::string& s) { s += "flushed"; }); });
    (*client)->abort(Cause::kCancelled, "enough");
    EXPECT_EQ(order.get(), "");
  });

  ASSERT_TRUE(order.wait([](const std::string& s) { return s == "flushed"; }));
  ASSERT_TRUE(client->wait_closed());
  EXPECT_EQ(client->seen().get().closes[0].text, "enough");
}

TEST_P(OverEach, PausingHoldsMessagesBackAndResumingKeepsTheirOrder) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  // given a receiver that pauses after every third message
  Watched<std::vector<std::string>> got;
  far_.call([&] {
    (*accepted)->start({.on_message = [&](ByteView message, SendClass) {
      got.change([&](auto& all) { all.push_back(text(message)); });
      if (got.get().size() % 3 == 0) (*accepted)->pause_reading();
    }});
  });
  near_.call([&] {
    for (int i = 0; i < 30; ++i) (*client)->send(SendClass::kControl, bytes(std::to_string(i)));
  });

  for (std::size_t round = 1; round <= 10; ++round) {
    ASSERT_TRUE(got.wait([&](const auto& all) { return all.size() == round * 3; }));
    EXPECT_EQ(far_.call([&] { return got.get().size(); }), round * 3);
    far_.call([&] { (*accepted)->resume_reading(); });
  }

  for (std::size_t i = 0; i < 30; ++i) EXPECT_EQ(got.get()[i], std::to_string(i));
}

TEST_P(OverEach, AClosePastItsBoundAborts) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();  // never reads
  client->start();

  client->close("bye", 20ms);

  ASSERT_TRUE(client->wait_closed());
  const CloseReason reason = client->seen().get().closes[0];
  EXPECT_FALSE(reason.orderly);
  EXPECT_EQ(reason.cause, Cause::kTimeout);
}

TEST_P(OverEach, AbortInsideAMessageStopsDeliveryAndTellsOnce) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  Watched<std::string> order;
  near_.call([&] {
    for (int i = 0; i < 10; ++i) (*client)->send(SendClass::kControl, bytes("m"));
  });

  far_.call([&] {
    (*accepted)->start(
        {.on_message =
             [&](ByteView, SendClass) {
               order.change([](std::string& s) { s += "m"; });
               (*accepted)->abort(Cause::kCancelled, "enough");
               (*accepted)->abort(Cause::kCancelled, "again");
               order.change([](std::string& s) { s += "."; });
             },
         .on_close =
             [&](const CloseReason& reason) { order.change([&](std::string& s) { s += reason.text; }); }});
  });

  EXPECT_TRUE(order.wait([](const std::string& s) { return s == "m.enough"; })) << order.get();
}

TEST_P(OverEach, AConnectionMayBeDroppedInsideItsOwnMessage) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  auto connection = server.take()->shared();
  client->start();
  near_.call([&] {
    for (int i = 0; i < 10; ++i) (*client)->send(SendClass::kControl, bytes("m"));
  });

  far_.call([&] {
    const auto start = connection;
    start->start({.on_message = [&](ByteView, SendClass) { connection.reset(); }});
  });

  EXPECT_TRUE(client->wait_closed());
  EXPECT_EQ(far_.call([&] { return connection; }), nullptr);
}

TEST_P(OverEach, APingMakesALivePeerSpeak) {
  Server server(far_, any_addr());
  const auto client = connect(near_, server.addr());
  const auto accepted = server.take();
  client->start();
  accepted->start();
  const TimePoint before = near_.call([&] { return (*client)->last_received(); });

  near_.call([&] { (*client)->ping(); });
  // The answer to the ping is before the answer to the message.
  client->send(SendClass::kControl, "a");
  ASSERT_TRUE(accepted->wait_messages(1));
  accepted->send(SendClass::kControl, "b");
  ASSERT_TRUE(client->wait_messages(1));

  EXPECT_GT(near_.call([&] { return (*client)->last_received(); }), before);
}

TEST_P(OverEach, DescriptorsAreAllGivenBack) {
  // A reactor's own descriptors are made with its first connection.
  {
    Server server(far_, any_addr());
    connect(near_, server.addr());
  }
  settle();
  const std::size_t before = open_descriptors();
  {
    Server server(far_, any_addr());
    std::vector<std::unique_ptr<End>> ends;
    for (std::size_t i = 0; i < 20; ++i) {
      ends.push_back(connect(near_, server.addr(), i));
      ends.push_back(server.take(i));
    }
    EXPECT_TRUE(GetParam() != Kind::kLocal || open_descriptors() == before);
  }
  settle();
  EXPECT_EQ(open_descriptors(), before);
}

// Fails as a socket does whose peer the kernel can no longer reach.
class Unreachable final : public detail::Stream {
 public:
  Unreachable(Reactor& reactor, int error) : reactor_(reactor), error_(error) {}
  void set_events(detail::StreamEvents* events) override { events_ = events; }
  detail::IoResult read_some(std::span<std::uint8_t>) override { return {.error = error_}; }
  detail::IoResult write_some(std::span<const iovec>) override { return {.error = error_}; }
  void await_readable() override {
    reactor_.post([this] { events_->on_readable(); });
  }
  void await_writable() override {}
  std::optional<PeerCredentials> credentials() const override { return std::nullopt; }
  const std::string& description() const override { return description_; }

 private:
  Reactor& reactor_;
  int error_;
  detail::StreamEvents* events_ = nullptr;
  std::string description_ = "elsewhere";
};

TEST(Connections, APeerThatCannotBeReachedAnyMoreIsGone) {
  Loop loop;
  for (const int error : {ETIMEDOUT, EHOSTUNREACH, ENETUNREACH}) {
    End end(loop, loop.call([&] {
      detail::Established established{.stream = std::make_unique<Unreachable>(loop.reactor(), error),
                                      .peer = claim_of(0),
                                      .server_identity = "server",
                                      .max_send_bytes = 100};
      return Connection::Impl::make(loop.reactor(), std::move(established), detail::Limits(Config()));
    }));
    end.start();
    ASSERT_TRUE(end.wait_closed());
    EXPECT_EQ(end.seen().get().closes[0].cause, Cause::kPeerGone) << errno_text(error);
  }
}

TEST(LocalConnections, TenThousandFitInOneProcess) {
  Loop loop;
  Server server(loop, ChannelAddr::any(Transport::kLocal));
  struct Shared {
    std::vector<std::unique_ptr<Dial>> dials;
    std::vector<std::shared_ptr<Connection>> connections;
  } shared;
  Watched<std::size_t> connected;
  constexpr std::size_t kMany = 10'000;
  const std::size_t before = open_descriptors();

  // In waves, as many as may be in their handshake at once.
  for (std::size_t wave = 0; wave < kMany; wave += 2000) {
    loop.call([&] {
      for (Rank rank = wave; rank < wave + 2000; ++rank) {
        shared.dials.push_back(dial(loop.reactor(), server.addr(), options_for(claim_of(rank)), test_config(),
                                    [&](Result<std::shared_ptr<Connection>> result) {
                                      if (!result) return;
                                      shared.connections.push_back(*std::move(result));
                                      connected.change([](std::size_t& n) { ++n; });
                                    }));
      }
    });
    ASSERT_TRUE(connected.wait([&](std::size_t n) { return n == wave + 2000; })) << connected.get();
  }

  EXPECT_EQ(open_descriptors(), before);
  EXPECT_TRUE(server.wait_accepted(kMany));
  loop.call([&] {
    shared.dials.clear();
    shared.connections.clear();
  });
}

}  // namespace
}  // namespace hostmesh::test
