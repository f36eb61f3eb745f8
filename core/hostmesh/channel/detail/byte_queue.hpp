// ByteQueue: bytes in the order they came, taken from the front; gives its memory back when it is empty.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "hostmesh/base/secret.hpp"

namespace hostmesh::detail {

class ByteQueue {
 public:
  // `keep`: bytes of buffer that an empty queue may hold on to.
  explicit ByteQueue(std::size_t keep) : keep_(keep) {}

  std::size_t size() const { return bytes_.size() - head_; }
  bool empty() const { return size() == 0; }
  // Valid until the queue changes.
  const std::uint8_t* data() const { return bytes_.data() + head_; }

  void push(ByteView more) {
    // Moved so seldom that each byte is moved once or twice.
    if (head_ > kIdle && head_ > bytes_.size() / 2) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
    bytes_.insert(bytes_.end(), more.begin(), more.end());
  }

  void drop(std::size_t count) {
    head_ += count;
    if (head_ < bytes_.size()) return;
    bytes_.clear();
    head_ = 0;
    if (bytes_.capacity() > keep_) bytes_.shrink_to_fit();
  }

  std::size_t pop(std::span<std::uint8_t> into) {
    const std::size_t count = std::min(size(), into.size());
    std::copy_n(data(), count, into.begin());
    drop(count);
    return count;
  }

 private:
  static constexpr std::size_t kIdle = 64 << 10;  // bytes in front that may lie idle

  std::size_t keep_;
  std::vector<std::uint8_t> bytes_;
  std::size_t head_ = 0;
};

}  // namespace hostmesh::detail
