// Running: one program that a test has started, with pipes, in a session of its own, and bounded in every
// wait.
//
// A resource: whatever still runs when it is dropped is killed. What lies below it is found by a mark: a
// random text in the environment, and in the command line of those that throw their environment away.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/fd.hpp"

namespace hostmesh::test {

// However slow the machine is, nothing in these tests may take longer: a bound on a hang, never a measure.
inline constexpr Duration kHang = std::chrono::seconds(50);

// The processes whose environment or command line contains `mark`, zombies and this one left out.
std::vector<pid_t> marked_processes(const std::string& mark);
// Waits until there is none, at most so long; those that are left.
std::vector<pid_t> survivors(const std::string& mark, Duration within);
std::string command_line_of(pid_t pid);
// A numeric field of /proc/PID/status, such as VmHWM in kB; 0 when the process is gone.
std::uint64_t status_number(pid_t pid, const std::string& field);

// As in /proc/PID/status: 'R', 'S', 'T', 'Z', ...; 0 when it is gone.
char state_of(pid_t pid);

// For what the kernel tells nobody about: asks again and again, and lets others run in between.
bool becomes_true(const std::function<bool()>& goal, Duration within = kHang);

struct StartOptions {
  std::vector<std::string> argv;
  std::map<std::string, std::string> environment;  // besides ours
  std::string working_directory;
  std::vector<std::string> odd_entries{};  // of the environment, as they are
  enum class Stderr { kPipe, kTerminal } stderr_use = Stderr::kPipe;
};

class Running {
 public:
  explicit Running(const StartOptions& options);
  ~Running();
  Running(Running&&) = default;
  Running& operator=(Running&&) = delete;

  pid_t pid() const { return pid_; }
  // As far as was seen while reading or waiting.
  bool ended() const { return ended_; }
  const std::string& out() const { return out_; }
  const std::string& err() const { return err_; }
  // As a shell would say it: the code, or 128+N.
  int status() const { return status_; }

  // Reads both pipes until `goal`, which is asked after each piece; false when that is not reached before the
  // end or `within`.
  bool read_until(const std::function<bool()>& goal, Duration within = kHang);
  bool read_until_out(const std::string& text) {
    return read_until([&] { return out_.find(text) != std::string::npos; });
  }
  // Until it has ended and both pipes are at their end. False when that takes too long; then all is killed.
  bool finish(Duration within = kHang);
  // Until it has ended, reading nothing.
  bool await_end(Duration within = kHang);
  // At most so much of stdout, waiting for it; nothing at its end.
  std::string read_out(std::size_t bytes);
  // As `head` does: nobody reads stdout any more.
  void close_out() { out_pipe_.reset(); }
  void signal(int number);
  // Sends `first`, and then `again` until it has ended: a second signal counts when it is late enough.
  void insist(int first, int again);

 private:
  bool read_some(UniqueFd& pipe, std::string& into);
  void reap();

  pid_t pid_ = 0;
  UniqueFd pidfd_;
  UniqueFd out_pipe_;
  UniqueFd err_pipe_;
  std::string out_;
  std::string err_;
  bool ended_ = false;
  int status_ = -1;
};

}  // namespace hostmesh::test
