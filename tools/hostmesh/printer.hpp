// Printer: what a run shows on stdout and stderr, as labelled lines or as JSON events. One thread.
#pragma once

#include <unistd.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "commands.hpp"
#include "held_lines.hpp"
#include "hostmesh/alloc/proc_state.hpp"
#include "hostmesh/base/error.hpp"
#include "hostmesh/mesh/messages.hpp"
#include "line_text.hpp"

namespace hostmesh::cli {

// Where the time of a run went, in seconds.
struct Times {
  double wall_s = 0;
  double allocate_s = 0;
  double spawn_s = 0;
  double run_s = 0;
  double shutdown_s = 0;
};

// How long a reader that does not read is waited for: for ever, for a second without progress, not at all.
enum class Patience { kEndless, kBounded, kNone };

class Printer {
 public:
  // `patience` is asked while a write has to wait. That it may have become less is heard through `cancel_fd`,
  // which becomes readable then and stays so. A reader that it is over for is one that has gone away: it gets
  // nothing more, and a line on stderr says so.
  Printer(Format format, Labels labels, std::function<Patience()> patience, int cancel_fd);

  // `t`: when it happened, in seconds since the start of the run; it may be told later.
  void state(const ProcState& state, double t);
  void proc(const ProcChange& change, const ProcId& id, double t);
  // A line whose end does not come is given out by give_held().
  void output(const ProcOutput& output, double t, HeldLines::TimePoint when);
  // Gives out what commands have begun to write a while ago.
  void give_held(HeldLines::TimePoint now) { lines_.give_held(now); }
  // When that has something to do.
  std::optional<HeldLines::TimePoint> due() const { return lines_.due(); }
  // Processes that a command, or some command, had left running, and that were killed.
  void left_behind(std::optional<Rank> rank, const std::vector<std::string>& names, double t);
  void end(int status, const Times& times);
  // A reason, on stderr in either format, after what was written before it.
  void complain(const Error& error);
  // Writes out what was told so far.
  void flush();

  // Nobody reads our stdout (or stderr) any more.
  bool consumer_gone() const { return !gone_.empty(); }

 private:
  void note(const std::string& text);
  void line(Rank rank, Stream stream, const Line& line);
  // Where what is for `fd` goes: stdout and stderr that are one file are one text, in one order.
  int target(int fd) const { return is_one_file_ ? STDOUT_FILENO : fd; }
  void exit(const ProcOutput& end, double t);
  void write(int fd, std::string_view text);
  void write_all(int fd, std::string_view text);
  bool await_reader(int fd);

  const Format format_;
  const std::function<Patience()> patience_;
  const int cancel_fd_;
  const bool is_one_file_;
  HeldLines lines_;
  LineText out_;
  LineText err_;
  std::map<int, std::string> buffers_;
  std::set<int> gone_;  // descriptors that cannot be written to any more
};

}  // namespace hostmesh::cli
