// Refusals: which of the peers that were turned away get a line in the log. Whoever can reach a listener can
// be turned away as often as he likes, so it is one line a second.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <utility>

namespace hostmesh::bootstrap {

// Pure.
class Refusals {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // One more. Returns how many before it got no line since the last that did; nothing when it gets none
  // itself.
  std::optional<std::uint64_t> tell(Time now) {
    if (last_line_ && now - *last_line_ < kInterval) {
      ++left_out_;
      return std::nullopt;
    }
    last_line_ = now;
    return std::exchange(left_out_, 0);
  }
  // How many got no line, and have not been told.
  std::uint64_t left_out() const { return left_out_; }

 private:
  static constexpr std::chrono::seconds kInterval{1};

  std::optional<Time> last_line_;
  std::uint64_t left_out_ = 0;
};

}  // namespace hostmesh::bootstrap
