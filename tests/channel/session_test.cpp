// Sessions: connections that break and come back, and those that do not.
#include "hostmesh/channel/detail/session.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <random>

#include "channel/relay.hpp"
#include "channel/support.hpp"
#include "hostmesh/channel/detail/session_records.hpp"
#include "hostmesh/channel/detail/session_wait.hpp"
#include "hostmesh/channel/detail/socket.hpp"
#include "hostmesh/channel/detail/tls.hpp"

namespace hostmesh::test {
namespace {

// What is not said takes so long that it does not happen.
struct Times {
  Duration grace = kHang;
  Duration back = kHang;
  Duration silence = kHang;
};

Config session_config(const Times& times = {}) {
  Config config;
  config.set(ConfigLayer::kRuntime, attribute::kTcpTlsLoopback, true);
  config.set(ConfigLayer::kRuntime, attribute::kSessionGrace, times.grace);
  config.set(ConfigLayer::kRuntime, attribute::kSessionReturn, times.back);
  config.set(ConfigLayer::kRuntime, attribute::kSessionSilence, times.silence);
  return config;
}

std::string numbered(int number, std::mt19937& random) {
  std::string text = std::to_string(number) + ":";
  return text + std::string(random() % 3000, static_cast<char>('a' + number % 26));
}

class Sessions : public ::testing::Test {
 protected:
  // A connection by way of the relay, and both its ends started.
  void connect_ends(const Times& near, const Times& far) {
    server_ = std::make_unique<Server>(far_, ChannelAddr::any(Transport::kTcp), session_config(far));
    relay_ = std::make_unique<Relay>(server_->addr());
    relay_->run(7, cuts_);
    client_ = connect(near_, relay_->addr(), 0, session_config(near));
    accepted_ = server_->take();
    client_->start();
    accepted_->start();
  }
  void connect_ends(const Times& both = {}) { connect_ends(both, both); }

  void expect_gone(End& end, std::string_view why) {
    ASSERT_TRUE(end.wait_closed());
    const CloseReason reason = end.seen().get().closes[0];
    EXPECT_FALSE(reason.orderly);
    EXPECT_EQ(reason.cause, Cause::kPeerGone) << reason.text;
    EXPECT_NE(reason.text.find(why), std::string::npos) << reason.text;
    EXPECT_EQ(reason.os_error, 0) << errno_text(reason.os_error) << " is no evidence of anything";
  }
  // The listener's leg ends; the dialler notices by silence, and its peer has to wait for that.
  void expect_resumed_after(Relay::Cut how) {
    connect_ends({.silence = 100ms}, {.back = Duration::zero()});

    relay_->cut_listener_legs(how);
    client_->send(SendClass::kControl, "into the leg that is left");
    accepted_->send(SendClass::kControl, "without a connection");

    for (End* end : {client_.get(), accepted_.get()}) {
      ASSERT_TRUE(end->wait_messages(1));
      EXPECT_TRUE(end->seen().get().closes.empty());
    }
    EXPECT_GE(relay_->taken(), 2);
  }

  int cuts_ = 0;
  Loop near_;
  Loop far_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<Relay> relay_;
  std::unique_ptr<End> client_;
  std::unique_ptr<End> accepted_;
};

TEST_F(Sessions, AHundredCutsLoseNothingAndRepeatNothing) {
  cuts_ = 100;
  connect_ends();

  // On until the cuts are used up. Now and then one does not read while it is sent to.
  std::mt19937 random(1);
  std::vector<std::string> sent;
  while (relay_->cuts_left() > 0 || sent.size() < 100) {
    const std::unique_ptr<End>& sleepy = random() % 2 == 0 ? client_ : accepted_;
    sleepy->loop().call([&] { (*sleepy)->pause_reading(); });
    for (int i = 0; i < 20; ++i) {
      sent.push_back(numbered(static_cast<int>(sent.size()), random));
      ASSERT_EQ(client_->send(SendClass::kControl, sent.back()), SendResult::kQueued);
      ASSERT_EQ(accepted_->send(SendClass::kControl, sent.back()), SendResult::kQueued);
    }
    End& awake = sleepy == client_ ? *accepted_ : *client_;
    ASSERT_TRUE(awake.wait_messages(sent.size())) << relay_->cuts_left();
    sleepy->loop().call([&] { (*sleepy)->resume_reading(); });
    ASSERT_TRUE(sleepy->wait_messages(sent.size())) << relay_->cuts_left();
  }
  client_->close("done");

  ASSERT_TRUE(client_->wait_closed());
  ASSERT_TRUE(accepted_->wait_closed());
  for (End* end : {client_.get(), accepted_.get()}) {
    const Seen seen = end->seen().get();
    ASSERT_EQ(seen.messages.size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) ASSERT_EQ(seen.messages[i].second, sent[i]) << i;
    EXPECT_TRUE(seen.closes[0].orderly) << seen.closes[0].text;
  }
  EXPECT_EQ(far_.call([&] { return server_->listener().accepted(); }), 1U) << "one connection for its users";
}

TEST_F(Sessions, ABrokenConnectionIsNotYetClosed) {
  connect_ends();

  relay_->cut_all();
  client_->send(SendClass::kControl, "after the cut");

  ASSERT_TRUE(accepted_->wait_messages(1));
  EXPECT_TRUE(client_->seen().get().closes.empty());
  EXPECT_TRUE(accepted_->seen().get().closes.empty());
}

TEST_F(Sessions, WhatDoesNotComeBackInTimeIsClosedOnBothSidesSayingSo) {
  connect_ends({.grace = 100ms});

  relay_->refuse_all();

  expect_gone(*client_, "could not be resumed");
  expect_gone(*accepted_, "was not resumed");
}

TEST_F(Sessions, ADiallerKnowsAtOnceThatNobodyListensAnyMore) {
  connect_ends();

  relay_->die();

  expect_gone(*client_, "refused");
}

TEST_F(Sessions, AListenerWaitsUntilADiallerThatLivesWouldBeBack) {
  connect_ends({}, {.back = 50ms, .silence = 200ms});

  relay_->refuse_all();

  expect_gone(*accepted_, "within 300ms");
}

TEST_F(Sessions, AResetOfTheListenersLegAloneIsNotTheDiallersDeath) {
  expect_resumed_after(Relay::Cut::kRst);
}

TEST_F(Sessions, AnEndOfTheListenersLegAloneIsNotTheDiallersDeath) {
  expect_resumed_after(Relay::Cut::kFin);
}

TEST_F(Sessions, ASilentConnectionIsReplacedAndNothingIsLost) {
  connect_ends({.silence = 100ms});

  relay_->fall_silent();
  client_->send(SendClass::kControl, "into the silence");
  accepted_->send(SendClass::kControl, "into the silence");
  relay_->pass();

  for (End* end : {client_.get(), accepted_.get()}) {
    ASSERT_TRUE(end->wait_messages(1));
    EXPECT_EQ(end->seen().get().messages.size(), 1U);
    EXPECT_TRUE(end->seen().get().closes.empty());
  }
  EXPECT_GE(relay_->taken(), 2);
}

// The dialler alone has noticed: its old connection must not look as if its process had died.
TEST_F(Sessions, WhoseConnectionFellSilentDoesNotSeemToHaveDied) {
  connect_ends({.silence = 100ms}, {.back = Duration::zero()});

  relay_->deafen_diallers();
  client_->send(SendClass::kControl, "alive");

  ASSERT_TRUE(relay_->wait_taken(2));
  ASSERT_TRUE(accepted_->wait_messages(1));
  accepted_->send(SendClass::kControl, "alive too");
  ASSERT_TRUE(client_->wait_messages(1));
  EXPECT_TRUE(accepted_->seen().get().closes.empty());
}

TEST_F(Sessions, SilenceForGoodIsTheEndOnBothSides) {
  connect_ends({.grace = 500ms, .silence = 100ms});

  relay_->fall_silent();

  expect_gone(*client_, "silent for 100ms");
  expect_gone(*accepted_, "silent for 100ms");
}

TEST_F(Sessions, WhoDoesNotReadIsNotSilent) {
  connect_ends({.grace = 1s, .silence = 100ms});
  far_.call([&] { (*accepted_)->pause_reading(); });
  client_->send(SendClass::kControl, "read later");

  // Long enough to have counted as gone.
  Watched<bool> over;
  std::unique_ptr<Timer> timer;
  near_.call([&] {
    timer = std::make_unique<Timer>(near_.reactor());
    timer->after(2s, [&] { over.change([](bool& value) { value = true; }); });
  });
  ASSERT_TRUE(over.wait([](bool value) { return value; }));
  near_.call([&] { timer.reset(); });

  far_.call([&] { (*accepted_)->resume_reading(); });
  ASSERT_TRUE(accepted_->wait_messages(1));
  EXPECT_EQ(relay_->taken(), 1);
  EXPECT_TRUE(client_->seen().get().closes.empty());
}

TEST_F(Sessions, WhoDoesNotReadCanStillSendWithoutEnd) {
  connect_ends();
  constexpr int kMany = 8;  // of 1 MiB: more than fits between the two
  near_.call([&] { (*client_)->pause_reading(); });
  for (int i = 0; i < kMany; ++i) accepted_->send(SendClass::kControl, std::string(1 << 20, 'a'));

  for (int i = 0; i < kMany; ++i) client_->send(SendClass::kControl, std::string(1 << 20, 'c'));

  ASSERT_TRUE(accepted_->wait_messages(kMany));
  EXPECT_TRUE(client_->seen().get().messages.empty());
  near_.call([&] { (*client_)->resume_reading(); });
  ASSERT_TRUE(client_->wait_messages(kMany));
}

TEST_F(Sessions, ASessionThatIsOverIsNotWaitedFor) {
  connect_ends();

  accepted_->drop();

  ASSERT_TRUE(client_->wait_closed());
  EXPECT_EQ(client_->seen().get().closes[0].cause, Cause::kPeerGone);
}

// A connection that takes nothing, or all.
class Gullet final : public detail::Stream {
 public:
  explicit Gullet(detail::StreamEvents** events) : events_(events) {}
  void set_events(detail::StreamEvents* events) override { *events_ = events; }
  detail::IoResult read_some(std::span<std::uint8_t>) override { return {.error = EAGAIN}; }
  detail::IoResult write_some(std::span<const iovec> from) override {
    if (!open) return {.error = EAGAIN};
    std::size_t all = 0;
    for (const iovec& piece : from) all += piece.iov_len;
    return {.bytes = all};
  }
  void await_readable() override {}
  void await_writable() override {}
  std::optional<PeerCredentials> credentials() const override { return std::nullopt; }
  const std::string& description() const override { return description_; }

  bool open = false;

 private:
  detail::StreamEvents** events_;
  std::string description_ = "gullet";
};

TEST(SessionStream, OwnsUpToTheLastByteOnlyWhenTheConnectionHasAll) {
  Reactor reactor;
  detail::SessionTable table;
  detail::StreamEvents* events = nullptr;
  auto connection = std::make_unique<Gullet>(&events);
  Gullet& gullet = *connection;
  const auto session = detail::accepted_session(reactor, std::move(connection), detail::SessionName{},
                                                claim_of(0), detail::Limits(session_config()), table);
  Bytes message(100);
  const auto write_from = [&](std::size_t offset) {
    const iovec piece{message.data() + offset, message.size() - offset};
    return session->write_some({&piece, 1});
  };

  EXPECT_EQ(write_from(0).bytes, 99U);
  EXPECT_EQ(write_from(99).error, EAGAIN);

  gullet.open = true;
  events->on_writable();
  EXPECT_EQ(write_from(99).bytes, 1U);
}

int user_timeout_ms(const Config& config) {
  const auto addr = ChannelAddr::any(Transport::kTcp);
  const auto socket = detail::new_socket(addr);
  if (!socket || !detail::watch_link(socket->get(), addr, detail::Limits(config))) return -1;
  int value = 0;
  socklen_t size = sizeof value;
  ::getsockopt(socket->get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size);
  return value;
}

TEST(Links, AreWatchedByTheKernelWhereTheyMayBreak) {
  EXPECT_EQ(user_timeout_ms(session_config({.grace = 7s, .silence = 3s})), 7000);
  EXPECT_EQ(user_timeout_ms(session_config({.grace = 0s, .silence = 3s})), 3000);
  EXPECT_EQ(user_timeout_ms(session_config({.grace = 0s, .silence = 0s})), 0);
  EXPECT_EQ(user_timeout_ms(Config()), 0) << "within this machine";
}

TEST(SessionWait, IsTheGraceUnlessADiallerThatLivesWouldBeBackBefore) {
  using detail::SessionBreak;
  using detail::SessionSide;
  using Since = detail::SessionWait::Since;
  const TimePoint heard{100s};
  const TimePoint now = heard + 500ms;
  const TimePoint grace = heard + 10s;
  struct Row {
    const char* what;
    SessionSide side;
    SessionBreak how;
    detail::SessionTimes times;
    detail::SessionWait wait;
  };
  const auto listener = SessionSide::kListener;
  const auto dialler = SessionSide::kDialler;
  const auto ended = SessionBreak::kEnded;
  const auto silent = SessionBreak::kSilent;
  const detail::SessionWait whole{Deadline(grace), 10s, Since::kLastSignOfLife};
  for (const Row& row : {
           Row{"a dialler dials for all of the grace", dialler, ended, {10s, 4s, 1s}, whole},
           Row{"whatever it saw", dialler, silent, {10s, 4s, 1s}, whole},
           Row{"silence says nothing of the peer", listener, silent, {10s, 4s, 1s}, whole},
           Row{"five quarters of silence, then the way back",
               listener,
               ended,
               {10s, 4s, 1s},
               {Deadline(now + 6s), 6s, Since::kBreak}},
           Row{"never beyond the grace", listener, ended, {10s, 8s, 1s}, whole},
           Row{"a way back without a bound", listener, ended, {10s, 4s, Duration::max()}, whole},
           Row{"a dialler that never notices silence", listener, ended, {10s, 0s, 1s}, whole},
           Row{"a grace that is over",
               listener,
               ended,
               {100ms, 4s, 1s},
               {Deadline(heard + 100ms), 100ms, Since::kLastSignOfLife}},
       }) {
    EXPECT_EQ(detail::session_wait(row.side, row.how, row.times, heard, now), row.wait) << row.what;
  }
}

TEST(SessionTable, KnowsNobodyWhoWasNotThere) {
  const detail::SessionTable table;
  EXPECT_FALSE(table.knows(detail::random_session_name(), claim_of(0)));
}

TEST(SessionRecords, AreTakenApartWhereverTheyAreCut) {
  Bytes stream;
  const auto add = [&](std::string_view payload, std::uint64_t received) {
    const auto header = detail::encode_record_header(static_cast<std::uint32_t>(payload.size()), received);
    stream.insert(stream.end(), header.begin(), header.end());
    stream.insert(stream.end(), payload.begin(), payload.end());
  };
  add("hello ", 1);
  add("", 2);
  add("world", 3);

  for (std::size_t step = 1; step <= stream.size(); ++step) {
    detail::RecordReader reader;
    std::string payload;
    std::uint64_t received = 0;
    for (std::size_t at = 0; at < stream.size(); at += step) {
      const auto end = static_cast<std::ptrdiff_t>(std::min(at + step, stream.size()));
      Bytes piece(stream.begin() + static_cast<std::ptrdiff_t>(at), stream.begin() + end);
      const auto taken = reader.take(piece);
      ASSERT_TRUE(taken.has_value());
      payload += text(ByteView(piece).first(taken->payload));
      received = taken->received.value_or(received);
    }
    EXPECT_EQ(payload, "hello world");
    EXPECT_EQ(received, 3U);
  }
}

TEST(SessionRecords, ARecordThatIsTooLongIsAnError) {
  const auto header = detail::encode_record_header(detail::kMaxRecordPayload + 1, 0);
  Bytes bytes(header.begin(), header.end());

  EXPECT_FALSE(detail::RecordReader().take(bytes).has_value());
}

}  // namespace
}  // namespace hostmesh::test
