#include <gtest/gtest.h>

#include <random>

#include "hostmesh/channel/detail/frame_reader.hpp"
#include "hostmesh/channel/detail/frame_writer.hpp"

namespace hostmesh::detail {
namespace {

struct Got {
  FrameReader::What what;
  SendClass send_class;
  Bytes payload;
  bool operator==(const Got&) const = default;
};

// Everything that `reader` makes of `input`, or the error.
Result<std::vector<Got>> read_all(FrameReader& reader, ByteView input) {
  std::vector<Got> all;
  while (true) {
    auto next = reader.next(input);
    if (!next) return next.error();
    if (!*next) return all;
    all.push_back(
        {(*next)->what, (*next)->send_class, Bytes((*next)->payload.begin(), (*next)->payload.end())});
  }
}

// Writes all that is queued, the kernel taking at most `budget()` bytes of each gather.
template <class Budget>
Bytes write_all(FrameWriter& writer, Budget budget) {
  Bytes out;
  while (!writer.empty()) {
    FrameWriter::Gather gather;
    writer.plan(gather);
    std::size_t left = std::min<std::size_t>(gather.bytes, budget());
    const std::size_t taken = left;
    for (std::size_t i = 0; i < gather.buffer_count && left > 0; ++i) {
      const auto* data = static_cast<const std::uint8_t*>(gather.buffers[i].iov_base);
      const std::size_t count = std::min(left, gather.buffers[i].iov_len);
      out.insert(out.end(), data, data + count);
      left -= count;
    }
    writer.written(gather, taken);
  }
  return out;
}

Bytes frame(std::uint32_t length, std::uint8_t kind, const Bytes& payload = {}) {
  Bytes out;
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<std::uint8_t>(length >> (8 * i)));
  out.push_back(kind);
  out.insert(out.end(), payload.begin(), payload.end());
  return out;
}

TEST(FrameWriter, BytesOfAFrameAreFixed) {
  FrameWriter writer;
  writer.push(SendClass::kControl, {0xaa, 0xbb});
  writer.push(SendClass::kBulk, {});
  writer.push_ping();
  writer.push_goodbye("x");

  const Bytes out = write_all(writer, [] { return SIZE_MAX; });

  EXPECT_EQ(out, (Bytes{0, 0, 0, 0, 9, 2, 0, 0, 0, 1, 0xaa, 0xbb, 0, 0, 0, 0, 2, 1, 0, 0, 0, 11, 'x'}));
}

TEST(Frames, ArbitraryBudgetsOnBothSidesNeverCorruptMessages) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto upto = [&random](std::size_t limit) { return random() % (limit + 1); };
    FrameWriter writer;
    std::array<std::vector<Bytes>, 2> pushed;
    for (int i = 0; i < 30; ++i) {
      const std::size_t sizes[] = {upto(20), upto(2000), upto(700'000), kMaxPayload, kMaxPayload + 1, 0};
      Bytes message(sizes[upto(5)]);
      for (std::size_t at = 0; at < message.size(); at += 97)
        message[at] = static_cast<std::uint8_t>(random());
      const std::size_t lane = upto(1);
      pushed[lane].push_back(message);
      writer.push(SendClass(lane), std::move(message));
    }
    const std::size_t most = 1 + upto(1) * 100'000 + upto(300);
    const Bytes wire = write_all(writer, [&] { return 1 + upto(most * 50); });

    FrameReader reader(1 << 20);
    std::array<std::vector<Bytes>, 2> received;
    for (std::size_t at = 0; at < wire.size();) {
      const std::size_t count = std::min(wire.size() - at, 1 + upto(most * 30));
      auto got = read_all(reader, ByteView(wire).subspan(at, count));
      ASSERT_TRUE(got.has_value()) << got.error().text();
      for (Got& each : *got) received[std::size_t(each.send_class)].push_back(std::move(each.payload));
      at += count;
    }

    EXPECT_EQ(received[0], pushed[0]) << "seed " << seed;
    EXPECT_EQ(received[1], pushed[1]) << "seed " << seed;
    EXPECT_TRUE(reader.at_boundary());
    EXPECT_EQ(reader.bytes_held(), 0U);
    EXPECT_EQ(writer.queued_bytes(SendClass::kControl), 0U);
    EXPECT_EQ(writer.queued_bytes(SendClass::kBulk), 0U);
  }
}

TEST(FrameWriter, ControlOvertakesTheRestOfALargeBulkMessage) {
  // given a bulk message of 10 MiB of which one piece and a half are written
  FrameWriter writer;
  writer.push(SendClass::kBulk, Bytes(10 << 20));
  Bytes wire;
  const auto write_once = [&](std::size_t most) {
    FrameWriter::Gather gather;
    writer.plan(gather);
    std::size_t left = std::min(most, gather.bytes);
    writer.written(gather, left);
    return gather.units[0].source;
  };
  write_once(SIZE_MAX);
  write_once(100'000);

  // when a control message comes
  writer.push(SendClass::kControl, {1});

  // then only the piece under way is before it
  FrameWriter::Gather gather;
  writer.plan(gather);
  ASSERT_GE(gather.unit_count, 2U);
  EXPECT_EQ(gather.units[0].source, FrameWriter::Source::kBulk);
  EXPECT_EQ(gather.units[1].source, FrameWriter::Source::kControl);
  EXPECT_LE(gather.bytes, 2 * kMaxPayload);
}

TEST(FrameWriter, AGatherIsBounded) {
  FrameWriter writer;
  for (int i = 0; i < 1000; ++i) writer.push(SendClass::kBulk, Bytes(5000));

  FrameWriter::Gather gather;
  writer.plan(gather);

  EXPECT_LE(gather.buffer_count, FrameWriter::kMaxBuffers);
  EXPECT_LE(gather.bytes, FrameWriter::kMaxGather + kMaxPayload);
  EXPECT_GT(gather.unit_count, 20U);
}

TEST(FrameWriter, GoodbyeGoesLastAndIsCut) {
  FrameWriter writer;
  writer.push_goodbye(std::string(5000, 'x'));
  FrameReader reader(100);

  const auto got = read_all(reader, write_all(writer, [] { return SIZE_MAX; }));

  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->back().payload.size(), kMaxGoodbyeText);
  EXPECT_TRUE(writer.goodbye_sent());
}

TEST(FrameReader, ExactlyTheMaximumIsTakenAndOneMoreIsNot) {
  for (const std::size_t maximum : {std::size_t{10}, kMaxPayload, 3 * kMaxPayload}) {
    for (const std::size_t size : {maximum, maximum + 1}) {
      FrameWriter writer;
      writer.push(SendClass::kBulk, Bytes(size));
      FrameReader reader(maximum);
      const auto got = read_all(reader, write_all(writer, [] { return SIZE_MAX; }));
      EXPECT_EQ(got.has_value(), size == maximum) << size;
      const std::string error = got ? "" : got.error().text();
      EXPECT_EQ(
          error.find("at most " + std::to_string(std::min(maximum, kMaxPayload))) != std::string::npos ||
              error.find("at most " + std::to_string(maximum)) != std::string::npos,
          size != maximum)
          << error;
    }
  }
}

TEST(FrameReader, AForgedLengthAllocatesNothing) {
  for (const std::uint8_t kind : {1, 2, 3, 6}) {
    FrameReader reader(UINT32_MAX);
    const auto got = read_all(reader, frame(kMaxPayload, kind, {1, 2, 3}));
    ASSERT_TRUE(got.has_value());
    EXPECT_TRUE(got->empty());
    EXPECT_LE(reader.bytes_held(), 8U);
    EXPECT_FALSE(reader.at_boundary());
  }
}

TEST(FrameReader, WhatTheProtocolDoesNotAllowIsAnError) {
  const std::pair<const char*, Bytes> table[] = {
      {"unknown kind", frame(0, 0)},
      {"unknown kind", frame(0, 12)},
      {"a frame of 4294967295 bytes", frame(0xffffffff, 1)},
      {"ping or pong with a payload", frame(1, 9, {1})},
      {"ping or pong with a payload", frame(1, 10, {1})},
      {"goodbye of 1025", frame(1025, 11)},
      {"empty piece", frame(0, 3)},
      {"out of order", frame(1, 4, {1})},
      {"out of order", frame(1, 8, {1})},
  };
  for (const auto& [expected, wire] : table) {
    FrameReader reader(1000);
    const auto got = read_all(reader, wire);
    ASSERT_FALSE(got.has_value()) << expected;
    EXPECT_EQ(got.error().cause(), Cause::kProtocol);
    EXPECT_NE(got.error().text().find(expected), std::string::npos) << got.error().text();
  }
}

TEST(FrameReader, APieceCannotBeFollowedByAWholeMessageOfItsClass) {
  FrameReader reader(1000);
  ASSERT_TRUE(read_all(reader, frame(1, 6, {1})).has_value());
  EXPECT_TRUE(read_all(reader, frame(1, 1, {1})).has_value()) << "the other class may pass";
  EXPECT_FALSE(read_all(reader, frame(1, 2, {1})).has_value());
}

TEST(FrameReader, NothingFollowsGoodbye) {
  FrameReader reader(1000);
  ASSERT_TRUE(read_all(reader, frame(0, 11)).has_value());
  EXPECT_FALSE(read_all(reader, frame(0, 9)).has_value());
}

}  // namespace
}  // namespace hostmesh::detail
