// MessageQueue: messages waiting to be written, oldest first. Small while empty: a deque would keep over half
// a kilobyte in each of thousands of idle connections.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "hostmesh/base/secret.hpp"

namespace hostmesh::detail {

class MessageQueue {
 public:
  std::size_t size() const { return items_.size() - head_; }
  bool empty() const { return size() == 0; }
  const Bytes& at(std::size_t index) const { return items_[head_ + index]; }

  void push(Bytes message) { items_.push_back(std::move(message)); }

  void pop() {
    items_[head_++] = Bytes();
    if (head_ == items_.size()) {
      items_.clear();
      head_ = 0;
      if (items_.capacity() > kKeep) items_.shrink_to_fit();
    } else if (head_ > kKeep && head_ > items_.size() / 2) {
      items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }

  void clear() {
    items_ = {};
    head_ = 0;
  }

 private:
  static constexpr std::size_t kKeep = 16;
  std::vector<Bytes> items_;
  std::size_t head_ = 0;
};

}  // namespace hostmesh::detail
