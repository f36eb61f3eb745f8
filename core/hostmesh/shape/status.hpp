// Status: how far a proc or an actor is in its life, as meshes report it.
//
// The order of the kinds is the order of that life and of badness: the larger of two statuses is the one to
// believe, and to worry about. A plain aggregate that travels between processes.
#pragma once

#include <compare>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/shape/overlay.hpp"
#include "hostmesh/shape/value_mesh.hpp"

namespace hostmesh {

// On the wire: numbers are never reused, and stay in this order.
enum class StatusKind : std::uint8_t {
  kNotExist = 0,  // nobody has heard of it
  kInitializing = 1,
  kRunning = 2,
  kStopping = 3,
  kStopped = 4,
  kFailed = 5,
  kTimeout = 6,  // did not answer in time
};

struct Status {
  StatusKind kind = StatusKind::kNotExist;
  std::string reason{};         // of kFailed alone
  std::int64_t elapsed_ns = 0;  // of kTimeout alone: how long was waited, in nanoseconds, never negative

  static Status not_exist() { return {}; }
  static Status initializing() { return {.kind = StatusKind::kInitializing}; }
  static Status running() { return {.kind = StatusKind::kRunning}; }
  static Status stopping() { return {.kind = StatusKind::kStopping}; }
  static Status stopped() { return {.kind = StatusKind::kStopped}; }
  static Status failed(std::string reason);
  static Status timeout(Duration elapsed);

  Duration elapsed() const { return Duration(elapsed_ns); }

  bool is_not_exist() const { return kind == StatusKind::kNotExist; }
  // Initializing or Running.
  bool is_healthy() const { return kind == StatusKind::kInitializing || kind == StatusKind::kRunning; }
  // On its way out, or gone.
  bool is_terminating() const { return kind >= StatusKind::kStopping; }
  // Gone, as far as can be known. Stopping is not: something that is still stopping may yet hold what is
  // waited for.
  bool is_terminated() const { return kind >= StatusKind::kStopped; }
  // Failed or Timeout.
  bool is_failure() const { return kind >= StatusKind::kFailed; }

  // "Running", "Failed(why)", "Timeout(30.0009s)": seconds, as many decimals as it takes.
  std::string text() const;
  // The inverse of text().
  static Result<Status> parse(std::string_view text);

  // By kind, then by what comes with it.
  auto operator<=>(const Status&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Status& status);

using StatusMesh = ValueMesh<Status>;
using StatusOverlay = ValueOverlay<Status>;

}  // namespace hostmesh
