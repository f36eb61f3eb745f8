// MarkerScan: finds, in bytes that come in pieces, where a command's own output begins.
//
// Login shells and their profiles write to stdout before the command that was asked for does. Pure, and
// bounded: it keeps no more than the length of the marker.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "hostmesh/base/secret.hpp"

namespace hostmesh::detail {

class MarkerScan {
 public:
  static constexpr std::size_t kMostGreeting = 64 * 1024;  // bytes

  explicit MarkerScan(std::string marker) : marker_(std::move(marker)), found_(marker_.empty()) {}

  bool found() const { return found_; }
  // More has come than a greeting may be.
  bool is_hopeless() const { return !found_ && seen_ > kMostGreeting; }

  // The place in `bytes` right behind the marker, once it is complete. Not to be called again afterwards.
  std::optional<std::size_t> feed(ByteView bytes) {
    std::string text = std::move(rest_);
    const std::size_t before = text.size();
    text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::size_t at = text.find(marker_);
    if (at != std::string::npos) {
      found_ = true;
      return at + marker_.size() - before;
    }
    seen_ += bytes.size();
    rest_ = text.substr(text.size() - std::min(text.size(), marker_.size() - 1));
    return std::nullopt;
  }

 private:
  const std::string marker_;
  std::string rest_;  // what may be the beginning of the marker
  std::size_t seen_ = 0;
  bool found_;
};

}  // namespace hostmesh::detail
