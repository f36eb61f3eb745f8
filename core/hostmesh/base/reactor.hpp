// Reactor: the one thread on which connections, system actors, child state machines and timers of a Runtime
// live.
//
// Nothing on that thread locks or blocks. Work comes in through post(), from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/error.hpp"

namespace hostmesh {

// How long a thread waits for the reactor to come to its work before it takes it for blocked, by code that is
// not ours (a plugin's call, an observer) or by a machine that has come to a standstill.
inline constexpr std::chrono::seconds kReactorPatience(30);

class Reactor {
 public:
  // Throws an Error with kResourceLimit when there are no descriptors or memory for it.
  Reactor();
  // The reactor must not be running. What was posted and has not run is destroyed unrun.
  ~Reactor();
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;

  // Runs handlers on the calling thread, which becomes the reactor thread, until stop(). Handlers should not
  // throw: what they were about to do is not done. An exception that one lets out all the same, as when there
  // is no memory, is told to on_failure() and the next handler runs.
  void run();
  // Not while it runs. `failed` is called on the reactor thread with each exception that a handler lets out;
  // the default writes it to the log. It should end what depends on this reactor: something that was to
  // happen there has not happened.
  void on_failure(std::function<void(const Error&)> failed);
  // Any thread; run() returns after the handler it is in.
  void stop();

  // Any thread. Runs `work` on the reactor thread, never inside this call. Posts from one thread run in
  // order.
  void post(std::function<void()> work);
  // True on the thread that is inside run().
  bool on_thread() const;

  // What the reactor thread is inside of, for the error of somebody who waits for it in vain: code that is
  // not ours and may block. Reactor thread only; the innermost is told.
  class Doing {
   public:
    Doing(Reactor& reactor, std::string what);
    ~Doing();
    Doing(const Doing&) = delete;
    Doing& operator=(const Doing&) = delete;

   private:
    Reactor& reactor_;
    std::string outer_;
  };
  // Any thread; empty when it is nothing of that kind.
  std::string doing() const;
  // The end of a sentence about such a wait: "the reactor thread is blocked in the call 'launch' of plugin
  // 'x'".
  std::string blocked_text() const;

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
