// Reactor: the one thread on which connections, system actors, child state machines and timers of a Runtime
// live.
//
// Nothing on that thread locks or blocks. Work comes in through post(), from any thread.
#pragma once

#include <functional>
#include <memory>

#include "hostmesh/base/deadline.hpp"

namespace hostmesh {

class Reactor {
 public:
  Reactor();
  // The reactor must not be running. What was posted and has not run is destroyed unrun.
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Runs handlers on the calling thread, which becomes the reactor thread, until stop(). Handlers must not
  // throw.
  void run();
  // Any thread; run() returns after the handler it is in.
  void stop();

  // Any thread. Runs `work` on the reactor thread, never inside this call. Posts from one thread run in
  // order.
  void post(std::function<void()> work);
  // True on the thread that is inside run().
  bool on_thread() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

// One pending alarm. Reactor thread only. Destruction cancels it: the callback will not run any more.
class Timer {
 public:
  explicit Timer(Reactor& reactor);
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  // Replaces what was pending. A deadline that never passes is no alarm at all.
  void at(Deadline when, std::function<void()> alarm);
  void after(Duration delay, std::function<void()> alarm) { at(Deadline::after(delay), std::move(alarm)); }
  void cancel();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
