#include "hostmesh/channel/detail/session_records.hpp"

#include <algorithm>
#include <cstring>
#include <string>

namespace hostmesh::detail {

namespace {

constexpr std::size_t kLengthBytes = 4;

std::uint64_t number(std::span<const std::uint8_t> bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint64_t(bytes[i]) << (8 * i);
  return value;
}

}  // namespace

RecordHeader encode_record_header(std::uint32_t length, std::uint64_t received) {
  RecordHeader header;
  for (std::size_t i = 0; i < kLengthBytes; ++i) header[i] = static_cast<std::uint8_t>(length >> (8 * i));
  for (std::size_t i = kLengthBytes; i < kRecordHeader; ++i) {
    header[i] = static_cast<std::uint8_t>(received >> (8 * (i - kLengthBytes)));
  }
  return header;
}

Result<RecordReader::Taken> RecordReader::take(std::span<std::uint8_t> bytes) {
  Taken taken;
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (payload_left_ > 0) {
      const std::size_t count = std::min(payload_left_, bytes.size() - at);
      if (at != taken.payload) std::memmove(bytes.data() + taken.payload, bytes.data() + at, count);
      taken.payload += count;
      payload_left_ -= count;
      at += count;
      continue;
    }
    const std::size_t count = std::min(kRecordHeader - header_size_, bytes.size() - at);
    std::memcpy(header_.data() + header_size_, bytes.data() + at, count);
    header_size_ += count;
    at += count;
    if (header_size_ < kRecordHeader) break;
    header_size_ = 0;
    const std::span<const std::uint8_t> header(header_);
    const std::uint64_t length = number(header.first(kLengthBytes));
    taken.received = number(header.subspan(kLengthBytes));
    if (length == kEndOfSession) {
      taken.end = true;
      break;
    }
    if (length > kMaxRecordPayload) {
      return Error(Cause::kProtocol, "a record of " + std::to_string(length) + " bytes; at most " +
                                         std::to_string(kMaxRecordPayload) + " are allowed");
    }
    payload_left_ = length;
  }
  return taken;
}

}  // namespace hostmesh::detail
