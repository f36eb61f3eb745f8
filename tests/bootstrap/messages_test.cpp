#include "hostmesh/bootstrap/messages.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <future>
#include <thread>

#include "hostmesh/base/fd.hpp"
#include "support/leaks.hpp"

namespace hostmesh::bootstrap {
namespace {

using namespace std::chrono_literals;
using test::LeakCheck;

constexpr Duration kHang = 60s;

Secret secret_of(std::uint8_t byte) {
  std::array<std::uint8_t, Secret::kSize> bytes{};
  bytes.fill(byte);
  return Secret(bytes);
}

// Bytes as docs/protocol.md writes them: numbers are bytes, texts are their characters, without a length.
void append(Bytes& to, int byte) {
  to.push_back(static_cast<std::uint8_t>(byte));
}
void append(Bytes& to, std::string_view text) {
  to.insert(to.end(), text.begin(), text.end());
}
void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}
template <class... Parts>
Bytes golden(const Parts&... parts) {
  Bytes bytes;
  (append(bytes, parts), ...);
  return bytes;
}

TEST(BootstrapMessages, BytesOfHelloAreFixed) {
  const Hello hello{.pid = 0x1234, .node = "n1", .addr = *ChannelAddr::parse("unix:@x")};
  EXPECT_EQ(pack(hello), golden(1, 29, 0, 0, 0,                // Hello, and its length
                                1, 0, 0, 0,                    // version
                                0x34, 0x12, 0, 0, 0, 0, 0, 0,  // pid
                                2, 0, 0, 0, "n1", 7, 0, 0, 0, "unix:@x"));
}

TEST(BootstrapMessages, BytesOfAHelloWithoutAnAddressAreFixed) {
  EXPECT_EQ(pack(Hello{}), golden(1, 20, 0, 0, 0, 1, 0, 0, 0, Bytes(8), 0, 0, 0, 0, 0, 0, 0, 0));
}

TEST(BootstrapMessages, BytesOfStartProcAreFixed) {
  const StartProc start{.proc_id = ProcId::ranked("a", 3),
                        .owner_addr = *ChannelAddr::parse("unix:@o"),
                        .peer_secret = secret_of(9),
                        .mesh = "m"};
  EXPECT_EQ(pack(start),
            golden(2, 56, 0, 0, 0, 4, 0, 0, 0, "a[3]", 7, 0, 0, 0, "unix:@o", Bytes(32, 9), 1, 0, 0, 0, "m"));
}

TEST(BootstrapMessages, BytesOfStartedProcAreFixed) {
  const StartedProc started{.proc_id = ProcId::ranked("a", 3),
                            .agent = {.proc = ProcId::ranked("a", 3), .name = "agent", .pid = 0},
                            .addr = *ChannelAddr::parse("unix:@c")};
  EXPECT_EQ(pack(started),
            golden(3, 36, 0, 0, 0, 4, 0, 0, 0, "a[3]", 13, 0, 0, 0, "a[3].agent[0]", 7, 0, 0, 0, "unix:@c"));
}

TEST(BootstrapMessages, BytesOfHeartbeatStopAndExitAreFixed) {
  EXPECT_EQ(pack(Heartbeat{}), golden(4, 0, 0, 0, 0));
  EXPECT_EQ(pack(StopAndExit{.code = -2}), golden(5, 4, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff));
  EXPECT_EQ(pack(Exit{.code = 3}), golden(6, 4, 0, 0, 0, 3, 0, 0, 0));
}

Payload some_payload() {
  return {.allocation = "alloc",
          .rank = 5,
          .incarnation = 2,
          .key = secret_of(7),
          .owner_identity = "o",
          .listen_on = "unix",
          .config = {{"A", "1"}, {"B", ""}}};
}

TEST(BootstrapPayload, ItsBytesAreFixed) {
  EXPECT_EQ(pack_payload(some_payload()),
            golden("HMB1", 98, 0, 0, 0, 94, 0, 0, 0,  // the magic, all that follows, the struct
                   1, 0, 0, 0,                        // version
                   5, 0, 0, 0, "alloc", 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, Bytes(32, 7), 1, 0, 0, 0, "o", 1,
                   4, 0, 0, 0, "unix",  // set
                   2, 0, 0, 0, 1, 0, 0, 0, "A", 1, 0, 0, 0, "1", 1, 0, 0, 0, "B", 0, 0, 0, 0));
}

TEST(BootstrapMessages, EachIsReadBackAsItWas) {
  const auto hello =
      unpack<Hello>(pack(Hello{.pid = 9, .node = "n", .addr = *ChannelAddr::parse("tcp:[::1]:80")}));
  ASSERT_TRUE(hello);
  EXPECT_EQ(hello->version, kProtocolVersion);
  EXPECT_EQ(hello->addr.text(), "tcp:[::1]:80");
  const auto stop = unpack<StopAndExit>(pack(StopAndExit{.code = -2}));
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->code, -2);
}

TEST(BootstrapMessages, FieldsOfALaterVersionAreSkipped) {
  const Bytes later = golden(5, 6, 0, 0, 0, 1, 0, 0, 0, 0xaa, 0xbb);
  const auto stop = unpack<StopAndExit>(later);
  ASSERT_TRUE(stop);
  EXPECT_EQ(stop->code, 1);
}

TEST(BootstrapMessages, WhatIsCutOrLiesAboutItsLengthCannotBeRead) {
  const Bytes whole = pack(Hello{.pid = 1, .node = "node", .addr = *ChannelAddr::parse("unix:@x")});
  for (std::size_t size = 1; size < whole.size(); ++size) {
    EXPECT_FALSE(unpack<Hello>(ByteView(whole).first(size))) << size;
  }
  EXPECT_FALSE(
      unpack<Hello>(golden(1, 20, 0, 0, 0, 1, 0, 0, 0, Bytes(8), 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0)));
}

TEST(BootstrapMessages, NoBytesAreNoType) {
  EXPECT_EQ(type_of({}), MessageType{});
  EXPECT_EQ(type_of(pack(Heartbeat{})), MessageType::kHeartbeat);
}

// A pipe whose reading end a child would have as its stdin.
class Stdin : public ::testing::Test {
 protected:
  Stdin() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) ADD_FAILURE() << "no pipe";
    read_ = UniqueFd(ends[0]);
    write_ = UniqueFd(ends[1]);
  }
  void TearDown() override {
    read_.reset();
    write_.reset();
    leaks_.check();
  }
  void write(ByteView bytes) {
    ASSERT_EQ(::write(write_.get(), bytes.data(), bytes.size()), ssize_t(bytes.size()));
  }
  Result<Payload> read(Deadline deadline = Deadline::after(kHang)) {
    return read_payload(read_.get(), deadline);
  }
  // The text of the error, all of which are about the payload on stdin.
  std::string failure(Deadline deadline = Deadline::after(kHang)) {
    const auto payload = read(deadline);
    if (payload) return "it was read";
    EXPECT_EQ(payload.error().cause(), Cause::kProtocol);
    EXPECT_EQ(payload.error().info().phase, "bootstrap");
    return payload.error().text();
  }

  const LeakCheck leaks_;
  UniqueFd read_;
  UniqueFd write_;
};

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(Stdin, APayloadIsReadAndNotAByteMore) {
  write(pack_payload(some_payload()));
  write(Bytes{'x'});
  const auto payload = read();
  ASSERT_TRUE(payload) << payload.error().text();
  EXPECT_EQ(payload->allocation, "alloc");
  EXPECT_EQ(payload->rank, 5u);
  EXPECT_EQ(payload->incarnation, 2u);
  EXPECT_TRUE(std::ranges::equal(payload->key.bytes(), secret_of(7).bytes()));
  EXPECT_EQ(payload->listen_on, "unix");
  EXPECT_EQ(payload->config, some_payload().config);
  char next = 0;
  EXPECT_EQ(::read(read_.get(), &next, 1), 1);
  EXPECT_EQ(next, 'x') << "what comes after belongs to the lifeline";
}

TEST_F(Stdin, AnEarlyEndIsTheOwnersDeath) {
  const Bytes whole = pack_payload(some_payload());
  write(ByteView(whole).first(whole.size() - 1));
  write_.reset();
  EXPECT_CONTAINS(failure(), "ended early");
}

TEST_F(Stdin, AnEndAtOnceIsToo) {
  write_.reset();
  EXPECT_CONTAINS(failure(), "ended early");
}

TEST_F(Stdin, GarbageIsRefusedByItsFirstBytes) {
  write(golden("GET / HTTP/1.1\r\n"));
  EXPECT_CONTAINS(failure(), "does not start as one should");
}

TEST_F(Stdin, AForgedLengthIsRefusedBeforeMemoryIsTaken) {
  write(golden("HMB1", 0xff, 0xff, 0xff, 0xff));
  EXPECT_CONTAINS(failure(), "4294967295 bytes");
}

TEST_F(Stdin, ABodyThatIsNoPayloadIsRefused) {
  write(golden("HMB1", 8, 0, 0, 0, 0xff, 0, 0, 0, 1, 2, 3, 4));
  EXPECT_CONTAINS(failure(), "cannot decode");
}

TEST_F(Stdin, AnotherVersionIsNamedBesideOurs) {
  Payload payload = some_payload();
  payload.version = 7;
  write(pack_payload(payload));
  const std::string text = failure();
  EXPECT_CONTAINS(text, "version 7");
  EXPECT_CONTAINS(text, "speaks 1");
}

TEST_F(Stdin, NobodyWritesUntilTheDeadline) {
  EXPECT_CONTAINS(failure(Deadline::after(5ms)), "in time");
}

TEST_F(Stdin, APayloadInPiecesIsPutTogether) {
  Payload large = some_payload();
  large.config["LARGE"] = std::string(300'000, 'x');  // more than a pipe holds
  std::thread writer([&] {
    const Bytes bytes = pack_payload(large);
    ByteView left(bytes);
    for (std::size_t piece = 1; !left.empty(); piece = piece * 2 + 1) {
      const ByteView now = left.first(std::min(piece, left.size()));
      const ssize_t wrote = ::write(write_.get(), now.data(), now.size());
      if (wrote <= 0) return;
      left = left.subspan(static_cast<std::size_t>(wrote));
    }
  });
  const auto payload = read();
  writer.join();
  ASSERT_TRUE(payload) << payload.error().text();
  EXPECT_EQ(payload->config.at("LARGE").size(), 300'000u);
}

TEST_F(Stdin, AWriterThatNeverStopsTricklingIsBoundedToo) {
  // Given a length that is never reached, and bytes one by one for ever
  write(golden("HMB1", 0, 0, 0xff, 0));
  std::thread writer([this] {
    const std::uint8_t byte = 0;
    while (::write(write_.get(), &byte, 1) == 1) {
    }
  });
  auto reading = std::async(std::launch::async, [this] { return failure(Deadline::after(50ms)); });
  const bool in_time = reading.wait_for(kHang) == std::future_status::ready;
  EXPECT_TRUE(in_time);
  EXPECT_CONTAINS(reading.get(), "in time");
  read_.reset();  // the writer gets EPIPE
  writer.join();
}

TEST_F(Stdin, AnUnreadableStdinSaysWhy) {
  read_ = UniqueFd(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_CONTAINS(failure(), "EISDIR");
}

using Environment = std::vector<std::string>;

TEST(ChildEnvironment, OursAreTakenOutAndAddedOnesReplaceTheirNamesakes) {
  const Environment base{"PATH=/bin",
                         "HOSTMESH_BOOTSTRAP_ADDR=old",
                         "HOSTMESH_BOOTSTRAP_INDEX=1",
                         "HOSTMESH_BOOTSTRAP_MODE=stdin",
                         "HOSTMESH_BOOTSTRAP_LOG_CHANNEL=x",
                         "HOSTMESH_CLIENT_TRACE_ID=t",
                         "HOSTMESH_PROCESS_NAME=p",
                         "HOME=/home/someone"};
  EXPECT_EQ(child_environment(base, {{"HOSTMESH_BOOTSTRAP_ADDR", "new"}, {"HOME", "/tmp"}}),
            (Environment{"PATH=/bin", "HOSTMESH_BOOTSTRAP_ADDR=new", "HOME=/tmp"}));
}

TEST(ChildEnvironment, NamesThatOnlyLookLikeOursStay) {
  const Environment base{"HOSTMESH_BOOTSTRAP_ADDRESS=x", "HOSTMESH_HELLO_TIMEOUT=3s",
                         "XHOSTMESH_BOOTSTRAP_ADDR=y", "A=HOSTMESH_BOOTSTRAP_ADDR=z"};
  EXPECT_EQ(child_environment(base, {}), base);
}

TEST(ChildEnvironment, ValuesWithAnythingInThemAreKept) {
  const Environment base{"A=b=c", "B=", "C=line\nbreak", "D=\xff\xfe", "no equals sign"};
  EXPECT_EQ(child_environment(base, {{"E", "x=y"}}),
            (Environment{"A=b=c", "B=", "C=line\nbreak", "D=\xff\xfe", "no equals sign", "E=x=y"}));
}

TEST(PayloadInMemory, IsReadAsFromStdin) {
  const auto payload = unpack_payload(pack_payload(some_payload()));

  ASSERT_TRUE(payload) << payload.error().text();
  EXPECT_EQ(payload->allocation, "alloc");
  EXPECT_EQ(payload->rank, 5u);
  EXPECT_EQ(payload->incarnation, 2u);
}

TEST(PayloadInMemory, IsRefusedWhenItIsNotWhole) {
  const Bytes whole = pack_payload(some_payload());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(unpack_payload(ByteView(whole).first(size))) << size << " bytes";
  }
  Bytes longer = whole;
  longer.push_back(0);
  EXPECT_FALSE(unpack_payload(longer));
  Bytes other = whole;
  other[0] = 'x';
  EXPECT_FALSE(unpack_payload(other));
}

}  // namespace
}  // namespace hostmesh::bootstrap
