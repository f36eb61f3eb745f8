#include "hostmesh/shape/status.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ostream>
#include <utility>

namespace hostmesh {

namespace {

constexpr std::array<std::string_view, 7> kNames = {"NotExist", "Initializing", "Running", "Stopping",
                                                    "Stopped",  "Failed",       "Timeout"};
constexpr std::int64_t kNanosecondsPerSecond = 1'000'000'000;
constexpr std::size_t kDecimals = 9;

std::string seconds_text(std::int64_t nanoseconds) {
  std::string text = std::to_string(nanoseconds / kNanosecondsPerSecond);
  if (const std::int64_t rest = nanoseconds % kNanosecondsPerSecond; rest != 0) {
    std::string decimals = std::to_string(rest);
    decimals.insert(0, kDecimals - decimals.size(), '0');
    decimals.erase(decimals.find_last_not_of('0') + 1);
    text += "." + decimals;
  }
  return text + "s";
}

bool all_digits(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// Exact, unlike anything that goes through a floating-point number. Nothing when it is not one or does not
// fit.
std::optional<std::int64_t> parse_seconds(std::string_view text) {
  if (!text.ends_with('s')) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t dot = text.find('.');
  const std::string_view whole = text.substr(0, dot);
  std::string decimals = dot == std::string_view::npos ? "0" : std::string(text.substr(dot + 1));
  if (!all_digits(whole) || !all_digits(decimals) || decimals.size() > kDecimals) return std::nullopt;
  decimals.resize(kDecimals, '0');
  std::int64_t seconds = 0;
  std::int64_t nanoseconds = 0;
  const auto failure = std::from_chars(whole.data(), whole.data() + whole.size(), seconds).ec;
  std::from_chars(decimals.data(), decimals.data() + decimals.size(), nanoseconds);
  if (failure != std::errc() || __builtin_mul_overflow(seconds, kNanosecondsPerSecond, &seconds) ||
      __builtin_add_overflow(seconds, nanoseconds, &nanoseconds)) {
    return std::nullopt;
  }
  return nanoseconds;
}

}  // namespace

Status Status::failed(std::string reason) {
  return {.kind = StatusKind::kFailed, .reason = std::move(reason)};
}

Status Status::timeout(Duration elapsed) {
  return {.kind = StatusKind::kTimeout, .elapsed_ns = std::max(elapsed, Duration::zero()).count()};
}

std::string Status::text() const {
  const auto index = static_cast<std::size_t>(kind);
  // A peer of a newer version may know a kind that this one does not.
  if (index >= kNames.size()) return "Unknown(" + std::to_string(index) + ")";
  std::string text(kNames[index]);
  if (kind == StatusKind::kFailed) text += "(" + reason + ")";
  if (kind == StatusKind::kTimeout) text += "(" + seconds_text(elapsed_ns) + ")";
  return text;
}

Result<Status> Status::parse(std::string_view text) {
  const auto refuse = [&] {
    return Error(Cause::kInvalidArgument, "'" + std::string(text.substr(0, 200)) + "' is not a status");
  };
  const std::size_t open = text.find('(');
  const auto name = std::ranges::find(kNames, text.substr(0, open));
  if (name == kNames.end()) return refuse();
  const auto kind = static_cast<StatusKind>(name - kNames.begin());
  const bool has_payload = kind == StatusKind::kFailed || kind == StatusKind::kTimeout;
  if (has_payload != (open != std::string_view::npos)) return refuse();
  if (!has_payload) return Status{.kind = kind};
  if (!text.ends_with(')')) return refuse();
  const std::string_view payload = text.substr(open + 1, text.size() - open - 2);
  if (kind == StatusKind::kFailed) return failed(std::string(payload));
  const auto elapsed = parse_seconds(payload);
  if (!elapsed) return refuse();
  return timeout(Duration(*elapsed));
}

std::ostream& operator<<(std::ostream& out, const Status& status) {
  return out << status.text();
}

}  // namespace hostmesh
