// How long a session that has lost its connection waits for another one. Pure.
//
//   side     | the connection ended (FIN, RST)            | it is silent, or failed on this side
//   dialler  | grace; it dials at once, and a port that refuses ends the session
//   listener | until a dialler that lives is back, or grace | grace
//
// The end of a connection is seen by both sides, or by one alone: a firewall, a relay or a balancer can end
// one leg and leave the other. Then the dialler learns of it by silence, which it counts in quarters and so
// notices after five of them at the latest, and dials. A dialler that has not come back by then, nor within
// `back` after it, has no process any more.
#pragma once

#include <cstdint>

#include "hostmesh/base/deadline.hpp"

namespace hostmesh::detail {

// In how many parts a session counts silence.
inline constexpr int kSilenceQuarters = 4;

enum class SessionSide : std::uint8_t { kDialler, kListener };
// What is known of the break. An end is said by the peer's kernel, or by something on the way; silence, and
// errors of this side's own, say nothing of the peer.
enum class SessionBreak : std::uint8_t { kEnded, kSilent };

struct SessionTimes {
  Duration grace{};    // from the last sign of life
  Duration silence{};  // of the dialler, which has the same configuration; zero: it never notices
  Duration back{};     // for a dialler that has noticed
};

struct SessionWait {
  enum class Since : std::uint8_t { kLastSignOfLife, kBreak };
  Deadline until;
  Duration length{};
  Since since = Since::kLastSignOfLife;

  bool operator==(const SessionWait&) const = default;
};

// Returns the wait for a connection that broke `now`, over which the peer was last heard at `last_heard`.
SessionWait session_wait(SessionSide side, SessionBreak how, const SessionTimes& times, TimePoint last_heard,
                         TimePoint now);

}  // namespace hostmesh::detail
