// Interrupt: INT, TERM and HUP as an event, so that a run that is interrupted ends what it has started.
#pragma once

#include <functional>
#include <memory>

namespace hostmesh::conformance {

// Make it before any other thread: it blocks the signals for the process as long as it lives. Those that the
// caller has ignored stay ignored.
class Interrupt {
 public:
  // `on_signal` runs on a thread of its own, for each that comes.
  explicit Interrupt(std::function<void(int number)> on_signal);
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostmesh::conformance
