// The signals of a run, and the progress line: one thread that does nothing else, so that both work whatever
// the main thread waits for.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "escalation.hpp"

namespace hostmesh::cli {

// Make it before any other thread: it blocks all used_signals() but those that are ignored, for the whole
// process. What is blocked reaches no child: the launcher gives each the default of every signal.
class Signals {
 public:
  // `on_signal` runs on its thread, and not for what means nothing. Throws Error when there is no descriptor
  // left.
  explicit Signals(std::function<void(int number, Escalation::Action action)> on_signal);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // While set, shown on stderr, if that is a terminal that can take a line back, and kept up to date. Null:
  // taken away.
  void set_progress(std::function<std::string()> line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostmesh::cli
