#include "hostmesh/base/deadline.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace hostmesh {

Deadline Deadline::after(Duration duration, TimePoint now) {
  if (duration <= Duration::zero()) return Deadline(now);
  if (duration >= TimePoint::max() - now) return never();
  return Deadline(now + duration);
}

Duration Deadline::remaining(TimePoint now) const {
  if (is_never()) return Duration::max();
  return when_ <= now ? Duration::zero() : Duration(when_ - now);
}

namespace {

struct Unit {
  std::string_view name;
  std::int64_t nanoseconds;
};
constexpr std::array<Unit, 6> kUnits{{{"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000},
                                      {"ns", 1}}};

Error bad_duration(std::string_view text) {
  return Error(Cause::kInvalidArgument,
               "'" + std::string(text) +
                   "' is not a duration; write a number and a unit, such as 500ms, 60s, "
                   "1m30s or 2h");
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration::zero();
  if (text.empty()) return bad_duration(text);
  double total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    double number = 0;
    const auto [end, failure] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (failure != std::errc() || number < 0 || !std::isfinite(number)) return bad_duration(text);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::size_t unit_length = std::min(rest.find_first_of("0123456789."), rest.size());
    const std::string_view name = rest.substr(0, unit_length);
    bool known = false;
    for (const Unit& unit : kUnits) {
      if (unit.name != name) continue;
      total += number * static_cast<double>(unit.nanoseconds);
      known = true;
    }
    if (!known) return bad_duration(text);
    rest.remove_prefix(unit_length);
  }
  if (total >= 9.2e18) return bad_duration(text);
  return Duration(static_cast<std::int64_t>(std::llround(total)));
}

std::string to_string(Duration duration) {
  if (duration == Duration::zero()) return "0s";
  std::string text = duration < Duration::zero() ? "-" : "";
  std::int64_t left = duration < Duration::zero() ? -duration.count() : duration.count();
  for (const Unit& unit : kUnits) {
    if (left < unit.nanoseconds) continue;
    text += std::to_string(left / unit.nanoseconds) + std::string(unit.name);
    left %= unit.nanoseconds;
  }
  return text;
}

}  // namespace hostmesh
