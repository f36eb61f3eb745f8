// Sessions: connections that break and come back, and those that do not.
#include "hostmesh/channel/detail/session.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <list>
#include <random>

#include "channel/support.hpp"
#include "hostmesh/channel/detail/session_records.hpp"
#include "hostmesh/channel/detail/socket.hpp"

namespace hostmesh::test {
namespace {

Config session_config(Duration grace) {
  Config config;
  config.set(ConfigLayer::kRuntime, attribute::kTcpTlsLoopback, true);
  config.set(ConfigLayer::kRuntime, attribute::kSessionGrace, grace);
  config.set(ConfigLayer::kRuntime, attribute::kSessionReturn, grace);
  return config;
}

// Stands between diallers and a listener and passes bytes on, until it cuts: after some bytes, or when told.
class Relay {
 public:
  explicit Relay(const ChannelAddr& listener) : listener_(listener) {
    auto socket = detail::new_socket(listener);
    const auto address = detail::socket_address(ChannelAddr::any(Transport::kTcp));
    if (::bind(socket->get(), address->get(), address->size) != 0 || ::listen(socket->get(), 16) != 0) {
      throw Error(Cause::kIo, "no socket between");
    }
    addr_ = *detail::socket_name(socket->get(), detail::SocketEnd::kLocal);
    accepting_ = *std::move(socket);
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) throw Error(Cause::kIo, "no pipe");
    wake_read_.reset(ends[0]);
    wake_write_.reset(ends[1]);
  }
  ~Relay() {
    stopping_ = true;
    wake();
    if (thread_.joinable()) thread_.join();
  }
  // Cuts `cuts` connections, each after a random number of bytes; those after them live on.
  void run(unsigned seed, int cuts) {
    cuts_left_ = cuts;
    random_.seed(seed);
    thread_ = std::thread([this] { serve(); });
  }
  void cut_all() {
    cut_now_ = true;
    wake();
  }
  void refuse_all() {
    refusing_ = true;
    cut_all();
  }
  const ChannelAddr& addr() const { return addr_; }
  int cuts_left() const { return cuts_left_; }

 private:
  struct Pair {
    UniqueFd near;
    UniqueFd far;
    std::size_t left;  // bytes until it is cut
    bool limited;
  };

  void wake() { (void)!::write(wake_write_.get(), "", 1); }

  void serve() {
    while (!stopping_) {
      std::vector<pollfd> all{{accepting_.get(), POLLIN, 0}, {wake_read_.get(), POLLIN, 0}};
      for (const Pair& pair : pairs_) {
        all.push_back({pair.near.get(), POLLIN, 0});
        all.push_back({pair.far.get(), POLLIN, 0});
      }
      if (::poll(all.data(), all.size(), -1) < 0) continue;
      if (all[1].revents != 0) {
        char byte = 0;
        while (::read(wake_read_.get(), &byte, 1) > 0) {
        }
      }
      std::size_t at = 2;
      for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
        const bool lives = (all[at].revents == 0 || pass(*pair, pair->near, pair->far)) &&
                           (all[at + 1].revents == 0 || pass(*pair, pair->far, pair->near));
        pair = lives ? std::next(pair) : pairs_.erase(pair);
      }
      if (cut_now_.exchange(false)) pairs_.clear();
      if (all[0].revents != 0) accept();
    }
  }

  void accept() {
    UniqueFd near(::accept4(accepting_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!near || refusing_) return;
    auto far = detail::new_socket(listener_);
    const auto address = detail::socket_address(listener_);
    ::fcntl(far->get(), F_SETFL, 0);
    if (::connect(far->get(), address->get(), address->size) != 0) return;
    const bool limited = cuts_left_ > 0;
    pairs_.push_back({std::move(near), *std::move(far), 1 + random_() % 40'000, limited});
  }

  bool pass(Pair& pair, const UniqueFd& from, const UniqueFd& to) {
    std::array<std::uint8_t, 8192> buffer;
    const ssize_t count = ::recv(from.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) return false;
    std::size_t size = static_cast<std::size_t>(count);
    const bool cut = pair.limited && size >= pair.left;
    if (cut) size = pair.left;
    pair.left -= pair.limited ? size : 0;
    (void)::send(to.get(), buffer.data(), size, MSG_NOSIGNAL);
    if (!cut) return true;
    --cuts_left_;
    if (random_() % 2 == 0) {  // the rude way
      const linger at_once{.l_onoff = 1, .l_linger = 0};
      ::setsockopt(pair.near.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
      ::setsockopt(pair.far.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
    return false;
  }

  ChannelAddr listener_;
  ChannelAddr addr_;
  UniqueFd accepting_;
  UniqueFd wake_read_;
  UniqueFd wake_write_;
  std::list<Pair> pairs_;
  std::mt19937 random_;
  std::atomic<int> cuts_left_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> cut_now_ = false;
  std::atomic<bool> refusing_ = false;
  std::thread thread_;
};

std::string numbered(int number, std::mt19937& random) {
  std::string text = std::to_string(number) + ":";
  return text + std::string(random() % 3000, static_cast<char>('a' + number % 26));
}

class Sessions : public ::testing::Test {
 protected:
  Loop near_;
  Loop far_;
};

TEST_F(Sessions, AHundredCutsLoseNothingAndRepeatNothing) {
  Server server(far_, ChannelAddr::any(Transport::kTcp), session_config(kHang));
  Relay relay(server.addr());
  relay.run(7, 100);
  const auto client = connect(near_, relay.addr(), 0, session_config(kHang));
  const auto accepted = server.take();
  client->start();
  accepted->start();

  // On until the cuts are used up.
  std::mt19937 random(1);
  std::vector<std::string> sent;
  while (relay.cuts_left() > 0 || sent.size() < 100) {
    for (int i = 0; i < 20; ++i) {
      sent.push_back(numbered(static_cast<int>(sent.size()), random));
      ASSERT_EQ(client->send(SendClass::kControl, sent.back()), SendResult::kQueued);
      ASSERT_EQ(accepted->send(SendClass::kControl, sent.back()), SendResult::kQueued);
    }
    ASSERT_TRUE(accepted->wait_messages(sent.size())) << relay.cuts_left();
    ASSERT_TRUE(client->wait_messages(sent.size())) << relay.cuts_left();
  }
  client->close("done");

  ASSERT_TRUE(client->wait_closed());
  ASSERT_TRUE(accepted->wait_closed());
  for (End* end : {client.get(), accepted.get()}) {
    const Seen seen = end->seen().get();
    ASSERT_EQ(seen.messages.size(), sent.size());
    for (std::size_t i = 0; i < sent.size(); ++i) ASSERT_EQ(seen.messages[i].second, sent[i]) << i;
    EXPECT_TRUE(seen.closes[0].orderly) << seen.closes[0].text;
  }
  EXPECT_EQ(far_.call([&] { return server.listener().accepted(); }), 1U) << "one connection for its users";
}

TEST_F(Sessions, ABrokenConnectionIsNotYetClosed) {
  Server server(far_, ChannelAddr::any(Transport::kTcp), session_config(kHang));
  Relay relay(server.addr());
  relay.run(1, 0);
  const auto client = connect(near_, relay.addr(), 0, session_config(kHang));
  const auto accepted = server.take();
  client->start();
  accepted->start();

  relay.cut_all();
  client->send(SendClass::kControl, "after the cut");

  ASSERT_TRUE(accepted->wait_messages(1));
  EXPECT_TRUE(client->seen().get().closes.empty());
  EXPECT_TRUE(accepted->seen().get().closes.empty());
}

TEST_F(Sessions, WhatDoesNotComeBackInTimeIsClosedOnBothSidesSayingSo) {
  Server server(far_, ChannelAddr::any(Transport::kTcp), session_config(100ms));
  Relay relay(server.addr());
  relay.run(1, 0);
  const auto client = connect(near_, relay.addr(), 0, session_config(100ms));
  const auto accepted = server.take();
  client->start();
  accepted->start();

  relay.refuse_all();

  for (End* end : {client.get(), accepted.get()}) {
    ASSERT_TRUE(end->wait_closed());
    const CloseReason reason = end->seen().get().closes[0];
    EXPECT_FALSE(reason.orderly);
    EXPECT_EQ(reason.cause, Cause::kPeerGone) << reason.text;
    EXPECT_NE(reason.text.find("resumed"), std::string::npos) << reason.text;
  }
}

TEST_F(Sessions, ASessionThatIsOverIsNotWaitedFor) {
  Server server(far_, ChannelAddr::any(Transport::kTcp), session_config(kHang));
  Relay relay(server.addr());
  relay.run(1, 0);
  const auto client = connect(near_, relay.addr(), 0, session_config(kHang));
  const auto accepted = server.take();
  client->start();

  accepted->drop();

  ASSERT_TRUE(client->wait_closed());
  EXPECT_EQ(client->seen().get().closes[0].cause, Cause::kPeerGone);
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
