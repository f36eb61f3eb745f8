#include "hostmesh/channel/detail/session_wait.hpp"

namespace hostmesh::detail {

SessionWait session_wait(SessionSide side, SessionBreak how, const SessionTimes& times, TimePoint last_heard,
                         TimePoint now) {
  const SessionWait whole{.until = Deadline::after(times.grace, last_heard),
                          .length = times.grace,
                          .since = SessionWait::Since::kLastSignOfLife};
  if (side == SessionSide::kDialler || how == SessionBreak::kSilent) return whole;
  if (times.silence <= Duration::zero()) return whole;
  const Duration quarter = times.silence / kSilenceQuarters;
  const Deadline back = Deadline::after(times.silence, now).later_by(quarter).later_by(times.back);
  if (back >= whole.until) return whole;
  return {.until = back, .length = back.when() - now, .since = SessionWait::Since::kBreak};
}

}  // namespace hostmesh::detail
