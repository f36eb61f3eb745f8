#include "hostmesh/channel/detail/frame_writer.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace hostmesh::detail {

namespace {

constexpr std::size_t kCopyLimit = 1024;  // payloads up to this many bytes are copied next to their headers

struct Kinds {
  FrameKind whole, first, more, last;
};
constexpr std::array<Kinds, 2> kKinds{
    {{FrameKind::kControl, FrameKind::kControlFirst, FrameKind::kControlMore, FrameKind::kControlLast},
     {FrameKind::kBulk, FrameKind::kBulkFirst, FrameKind::kBulkMore, FrameKind::kBulkLast}}};

void append(FrameWriter::Gather& gather, const std::uint8_t* data, std::size_t size) {
  if (size == 0) return;
  gather.bytes += size;
  if (gather.buffer_count > 0) {
    iovec& previous = gather.buffers[gather.buffer_count - 1];
    if (static_cast<const std::uint8_t*>(previous.iov_base) + previous.iov_len == data) {
      previous.iov_len += size;
      return;
    }
  }
  gather.buffers[gather.buffer_count++] = iovec{const_cast<std::uint8_t*>(data), size};
}

}  // namespace

void FrameWriter::push(SendClass send_class, Bytes message) {
  Lane& lane = lanes_[std::size_t(send_class)];
  lane.bytes += message.size();
  ++lane.pushed;
  lane.queue.push(std::move(message));
}

void FrameWriter::push_goodbye(std::string text) {
  text.resize(std::min(text.size(), kMaxGoodbyeText));
  goodbye_ = std::move(text);
}

bool FrameWriter::empty() const {
  return lanes_[0].queue.empty() && lanes_[1].queue.empty() && !goodbye_ && !ping_ && !pong_;
}

bool FrameWriter::add(Gather& gather, Unit unit, FrameKind kind, const std::uint8_t* payload,
                      std::size_t skip) {
  const bool copied = unit.payload <= kCopyLimit;
  const std::size_t scratch_wanted = kFrameHeader + (copied ? unit.payload : 0);
  if (gather.unit_count == Gather::kMaxUnits || gather.buffer_count + 2 > kMaxBuffers ||
      gather.scratch_size + scratch_wanted > gather.scratch.size()) {
    return false;
  }
  std::uint8_t* const header = gather.scratch.data() + gather.scratch_size;
  for (std::size_t i = 0; i < 4; ++i) header[i] = static_cast<std::uint8_t>(unit.payload >> (8 * i));
  header[4] = static_cast<std::uint8_t>(kind);
  if (copied && unit.payload > 0) std::memcpy(header + kFrameHeader, payload, unit.payload);
  gather.scratch_size += scratch_wanted;
  const std::size_t header_skip = std::min(skip, scratch_wanted);
  append(gather, header + header_skip, scratch_wanted - header_skip);
  if (!copied) {
    const std::size_t payload_skip = skip - header_skip;
    append(gather, payload + payload_skip, unit.payload - payload_skip);
  }
  gather.units[gather.unit_count++] = unit;
  return true;
}

bool FrameWriter::add_message(Gather& gather, Source source, Cursors& cursors, std::size_t skip) const {
  const auto index = static_cast<std::size_t>(source);
  Cursor& cursor = cursors[index];
  const Bytes& message = lanes_[index].queue.at(cursor.index);
  const std::size_t left = message.size() - cursor.offset;
  const bool ends = left <= kMaxPayload;
  const Kinds& kinds = kKinds[index];
  const FrameKind kind =
      cursor.offset == 0 ? (ends ? kinds.whole : kinds.first) : (ends ? kinds.last : kinds.more);
  const auto payload = static_cast<std::uint32_t>(std::min(left, kMaxPayload));
  const Unit unit{.source = source, .ends_message = ends, .payload = payload};
  if (!add(gather, unit, kind, message.data() + cursor.offset, skip)) return false;
  cursor = ends ? Cursor{cursor.index + 1, 0} : Cursor{cursor.index, cursor.offset + payload};
  return true;
}

bool FrameWriter::add_plain(Gather& gather, Source source, std::size_t skip) const {
  switch (source) {
    case Source::kPing:
      return add(gather, Unit{source, true, 0}, FrameKind::kPing, nullptr, skip);
    case Source::kPong:
      return add(gather, Unit{source, true, 0}, FrameKind::kPong, nullptr, skip);
    default:
      break;
  }
  const auto size = static_cast<std::uint32_t>(goodbye_->size());
  const auto* text = reinterpret_cast<const std::uint8_t*>(goodbye_->data());
  return add(gather, Unit{source, true, size}, FrameKind::kGoodbye, text, skip);
}

void FrameWriter::plan(Gather& gather) const {
  Cursors cursors{{{0, lanes_[0].offset}, {0, lanes_[1].offset}}};
  if (partial_) {
    const bool message = partial_->source == Source::kControl || partial_->source == Source::kBulk;
    if (message) {
      add_message(gather, partial_->source, cursors, partial_->sent);
    } else {
      add_plain(gather, partial_->source, partial_->sent);
    }
  }
  const auto started = [this](Source source) { return partial_ && partial_->source == source; };
  if (ping_ && !started(Source::kPing)) add_plain(gather, Source::kPing, 0);
  if (pong_ && !started(Source::kPong)) add_plain(gather, Source::kPong, 0);
  bool room = true;
  for (const Source source : {Source::kControl, Source::kBulk}) {
    const auto index = static_cast<std::size_t>(source);
    while (room && cursors[index].index < lanes_[index].queue.size()) {
      room = gather.bytes < kMaxGather && add_message(gather, source, cursors, 0);
    }
  }
  if (room && goodbye_ && !started(Source::kGoodbye)) add_plain(gather, Source::kGoodbye, 0);
}

void FrameWriter::complete(const Unit& unit) {
  switch (unit.source) {
    case Source::kPing:
      ping_ = false;
      return;
    case Source::kPong:
      pong_ = false;
      return;
    case Source::kGoodbye:
      goodbye_.reset();
      goodbye_sent_ = true;
      return;
    case Source::kControl:
    case Source::kBulk:
      break;
  }
  Lane& lane = lanes_[std::size_t(unit.source)];
  lane.bytes -= unit.payload;
  lane.offset += unit.payload;
  if (!unit.ends_message) return;
  lane.queue.pop();
  lane.offset = 0;
  ++lane.sent;
}

void FrameWriter::written(const Gather& gather, std::size_t bytes) {
  bytes += partial_ ? partial_->sent : 0;
  partial_.reset();
  for (std::size_t i = 0; i < gather.unit_count; ++i) {
    const Unit& unit = gather.units[i];
    const std::size_t frame = kFrameHeader + unit.payload;
    if (bytes < frame) {
      if (bytes > 0) partial_ = Partial{unit.source, bytes};
      return;
    }
    complete(unit);
    bytes -= frame;
  }
}

void FrameWriter::clear() {
  for (Lane& lane : lanes_) {
    lane.queue.clear();
    lane.offset = 0;
    lane.bytes = 0;
    lane.sent = lane.pushed;
  }
  partial_.reset();
  goodbye_.reset();
  ping_ = pong_ = false;
}

}  // namespace hostmesh::detail
