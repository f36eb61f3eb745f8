// Alloc: procs that an allocator is bringing up, as a stream of their states. Allocator: what makes one.
//
// Progress never depends on anybody calling next(): the procs are driven on the reactor whether or not
// somebody listens. The stream always ends after stop() or a failure, and stays ended.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "hostmesh/alloc/proc_state.hpp"
#include "hostmesh/alloc/spec.hpp"

namespace hostmesh {

// The events of one allocation on their way to whoever asks. Any thread. Bounded by the procs: at most three
// events for each incarnation.
class ProcStateQueue {
 public:
  void push(ProcState state);
  void close();  // no more after what is queued; push() is ignored from here on
  bool closed() const;
  // The next one, nullopt at the end of the stream, or kTimeout.
  Result<std::optional<ProcState>> next(Deadline deadline);

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<ProcState> states_;
  bool closed_ = false;
};

// Any thread but the reactor's for what waits. Owned by whoever asked for it, or by the mesh made from it.
class Alloc {
 public:
  virtual ~Alloc() = default;

  // The next event, or nullopt when the stream has ended. next() waits as long as procs live and nothing
  // happens.
  virtual std::optional<ProcState> next() = 0;
  virtual Result<std::optional<ProcState>> next(Deadline deadline) = 0;
  // Starts the end: each proc that was Created gets its Stopped, then the stream ends. Idempotent; does not
  // wait.
  virtual void stop() = 0;
  // stop(), then waits for the end of the stream and drops the events on the way. The escalation to KILL
  // bounds it.
  virtual Result<> stop_and_wait(Deadline deadline) = 0;
  // Like stop(), with SIGKILL at once.
  virtual void kill() = 0;

  virtual const std::string& name() const = 0;  // unique, for messages: the allocation's uuid
  virtual const AllocSpec& spec() const = 0;
  const Extent& extent() const { return spec().extent; }
  Transport transport() const { return spec().transport; }
  virtual bool is_local() const = 0;  // the procs share this process
  // Whether all procs are on this machine for certain.
  virtual bool is_on_this_machine() const { return is_local(); }

  // From now on each event goes to `observer`, on the reactor, and no longer to next(): what the queue holds
  // first.
  virtual void observe(std::function<void(const ProcState&)> observer) = 0;
};

class Allocator {
 public:
  virtual ~Allocator() = default;
  // Returns at once; the procs appear through the stream. A spec that cannot be is an error here, not later.
  virtual std::unique_ptr<Alloc> allocate(AllocSpec spec) = 0;
};

}  // namespace hostmesh
