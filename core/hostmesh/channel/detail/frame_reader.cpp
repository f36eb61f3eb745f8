#include "hostmesh/channel/detail/frame_reader.hpp"

#include <algorithm>
#include <utility>

namespace hostmesh::detail {

namespace {

Error violation(std::string what) {
  return Error(Cause::kProtocol, std::move(what));
}

bool is_chunk(FrameKind kind) {
  return kind >= FrameKind::kControlFirst && kind <= FrameKind::kBulkLast;
}
bool is_first(FrameKind kind) {
  return kind == FrameKind::kControlFirst || kind == FrameKind::kBulkFirst;
}
bool is_last(FrameKind kind) {
  return kind == FrameKind::kControlLast || kind == FrameKind::kBulkLast;
}
SendClass class_of(FrameKind kind) {
  const bool bulk = kind == FrameKind::kBulk || kind >= FrameKind::kBulkFirst;
  return bulk ? SendClass::kBulk : SendClass::kControl;
}

}  // namespace

bool FrameReader::at_boundary() const {
  return header_size_ == 0 && !assemblies_[0].open && !assemblies_[1].open;
}

std::size_t FrameReader::bytes_held() const {
  return partial_.capacity() + complete_.capacity() + assemblies_[0].bytes.capacity() +
         assemblies_[1].bytes.capacity();
}

void FrameReader::take_header(ByteView& input) {
  const std::size_t count = std::min(input.size(), kFrameHeader - header_size_);
  std::copy_n(input.begin(), count, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
  header_size_ += count;
  input = input.subspan(count);
}

Result<> FrameReader::begin_frame() {
  const std::uint8_t kind = header_[4];
  if (kind < std::uint8_t(FrameKind::kControl) || kind > std::uint8_t(FrameKind::kGoodbye)) {
    return violation("a frame of unknown kind " + std::to_string(kind));
  }
  if (goodbye_seen_) return violation("a frame after goodbye");
  kind_ = static_cast<FrameKind>(kind);
  payload_left_ = std::uint32_t(header_[0]) | std::uint32_t(header_[1]) << 8 |
                  std::uint32_t(header_[2]) << 16 | std::uint32_t(header_[3]) << 24;
  if (payload_left_ > kMaxPayload) {
    return violation("a frame of " + std::to_string(payload_left_) + " bytes; at most " +
                     std::to_string(kMaxPayload) + " are allowed");
  }
  const bool no_payload = kind_ == FrameKind::kPing || kind_ == FrameKind::kPong;
  if (no_payload && payload_left_ != 0) return violation("a ping or pong with a payload");
  if (kind_ == FrameKind::kGoodbye) {
    if (payload_left_ > kMaxGoodbyeText) {
      return violation("a goodbye of " + std::to_string(payload_left_) + " bytes");
    }
    if (assemblies_[0].open || assemblies_[1].open) return violation("a goodbye inside a message");
  }
  std::size_t message_bytes = 0;
  if (is_chunk(kind_)) {
    Assembly& assembly = assemblies_[std::size_t(class_of(kind_))];
    if (payload_left_ == 0) return violation("an empty piece of a message");
    if (is_first(kind_) == assembly.open) return violation("pieces of messages out of order");
    assembly.open = true;
    message_bytes = assembly.bytes.size() + payload_left_;
  } else if (kind_ == FrameKind::kControl || kind_ == FrameKind::kBulk) {
    // Within a class messages do not overtake each other.
    if (assemblies_[std::size_t(class_of(kind_))].open) return violation("pieces of messages out of order");
    message_bytes = payload_left_;
  }
  if (message_bytes > max_message_bytes_) {
    return violation("a message of at least " + std::to_string(message_bytes) + " bytes; at most " +
                     std::to_string(max_message_bytes_) + " are allowed");
  }
  return {};
}

ByteView FrameReader::take_payload(ByteView& input) {
  const ByteView taken = input.first(std::min(input.size(), payload_left_));
  input = input.subspan(taken.size());
  payload_left_ -= taken.size();
  return taken;
}

FrameReader::Event FrameReader::finish_frame(ByteView payload) {
  header_size_ = 0;
  switch (kind_) {
    case FrameKind::kPing:
      return Event{.what = What::kPing};
    case FrameKind::kPong:
      return Event{.what = What::kPong};
    case FrameKind::kGoodbye:
      goodbye_seen_ = true;
      return Event{.what = What::kGoodbye, .payload = payload};
    default:
      return Event{.what = What::kMessage, .send_class = class_of(kind_), .payload = payload};
  }
}

Result<std::optional<FrameReader::Event>> FrameReader::next(ByteView& input) {
  complete_ = Bytes();
  while (true) {
    if (header_size_ < kFrameHeader) {
      take_header(input);
      if (header_size_ < kFrameHeader) return std::nullopt;
      if (auto begun = begin_frame(); !begun) return begun.error();
    }
    const ByteView taken = take_payload(input);
    if (is_chunk(kind_)) {
      Assembly& assembly = assemblies_[std::size_t(class_of(kind_))];
      assembly.bytes.insert(assembly.bytes.end(), taken.begin(), taken.end());
      if (payload_left_ > 0) return std::nullopt;
      header_size_ = 0;
      if (!is_last(kind_)) continue;
      assembly.open = false;
      complete_ = std::exchange(assembly.bytes, Bytes());
      return Event{.what = What::kMessage, .send_class = class_of(kind_), .payload = complete_};
    }
    if (payload_left_ == 0 && partial_.empty()) return finish_frame(taken);
    partial_.insert(partial_.end(), taken.begin(), taken.end());
    if (payload_left_ > 0) return std::nullopt;
    complete_ = std::exchange(partial_, Bytes());
    return finish_frame(complete_);
  }
}

}  // namespace hostmesh::detail
