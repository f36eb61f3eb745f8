// The signals that end a run, and the progress line: one thread that does nothing else, so that both work
// whatever the main thread waits for.
#pragma once

#include <functional>
#include <memory>
#include <string>

namespace hostmesh::cli {

// Make it before any other thread: it blocks SIGINT, SIGTERM and SIGHUP for the whole process.
class Signals {
 public:
  // `on_signal(number, how_often)` runs on its thread; how_often counts all of them, from 1.
  explicit Signals(std::function<void(int number, int how_often)> on_signal);
  ~Signals();
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

  // While set, shown on stderr if that is a terminal, and kept up to date. Null: taken away.
  void set_progress(std::function<std::string()> line);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostmesh::cli
