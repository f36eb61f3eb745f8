// Deadline: the moment until which something may take, derived from the caller's. Durations: text forms both
// ways.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

using Clock = std::chrono::steady_clock;
using Duration = std::chrono::nanoseconds;
using TimePoint = Clock::time_point;

// A value. Deadline() never passes; use it only where something else bounds the wait.
class Deadline {
 public:
  Deadline() = default;
  explicit Deadline(TimePoint when) : when_(when) {}
  static Deadline never() { return Deadline(); }
  // A negative or huge duration is clamped, so that no arithmetic overflows.
  static Deadline after(Duration duration, TimePoint now = Clock::now());

  bool is_never() const { return when_ == TimePoint::max(); }
  TimePoint when() const { return when_; }
  bool passed(TimePoint now = Clock::now()) const { return when_ <= now; }
  // Zero when passed, Duration::max() when never.
  Duration remaining(TimePoint now = Clock::now()) const;
  // So much later; never stays never.
  Deadline later_by(Duration duration) const { return is_never() ? *this : after(duration, when_); }
  // The earlier of the two.
  Deadline and_no_later_than(Deadline other) const { return Deadline(std::min(when_, other.when_)); }

  auto operator<=>(const Deadline&) const = default;

 private:
  TimePoint when_ = TimePoint::max();
};

// "60s", "500ms", "1m", "2h", "1m30s", "1.5s", "0". A bare number other than 0 is an error that says so.
Result<Duration> parse_duration(std::string_view text);
// The shortest of the same forms: "500ms", "1m30s", "10s".
std::string to_string(Duration duration);

}  // namespace hostmesh
