// ChildProcess: one running child and its pipes, on the reactor.
//
// It owns the child: dropping it kills the child. Everything is events: output as it comes, the end of each
// stream, and the exit, once. What the child itself wrote is always delivered before the exit. What others
// write who were given its pipes (a process substitution, a command in the background) is delivered before
// it, too, as long as they end within a short time after the child; a grandchild may hold a pipe for ever, so
// no longer than that.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/secret.hpp"
#include "hostmesh/process/exit_status.hpp"
#include "hostmesh/process/spawn.hpp"

namespace hostmesh {

// What happens, when the child ends, to those of its process group that outlive it.
enum class GroupAtExit : std::uint8_t { kKill, kLeave };

// How a child's end is treated.
struct AtExit {
  GroupAtExit group = GroupAtExit::kKill;
  // For how long after the end of the child its pipes are read while others hold them. It is not waited for
  // after a KILL through signal() or signal_group().
  Duration drain = std::chrono::seconds(2);
  // For how long after it those of its group may live on that a signal_group() has told to end with it.
  Duration grace = std::chrono::seconds(5);
};

// Reactor thread only. No event is delivered from inside a call to this class; an event may destroy it.
class ChildProcess {
 public:
  struct Events {
    std::function<void(Stream, ByteView)> on_output;  // up to 64 KiB, valid during the call
    std::function<void(Stream)> on_output_end;        // once for each piped stream; may come after on_exit
    std::function<void(const ExitStatus&)> on_exit;   // once
  };

  // Events that are empty are not delivered; output is read all the same, so that the child is never stuck.
  ChildProcess(Reactor& reactor, SpawnedProcess spawned, Events events, AtExit at_exit = {});
  // A live child is killed with its group; the reactor reaps it later, and no event comes any more.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Stays valid to ask after the end, when it may be somebody else's: never signal it.
  pid_t pid() const;
  // It has ended and has been reaped; on_exit may still be waiting for paused output. While others hold its
  // pipes it is not reaped yet.
  bool exited() const;

  // To the child alone. Success when it is already gone; never reaches a stranger with its old pid.
  Result<> signal(int signal);
  // To the whole group, while the child is unreaped; afterwards success without effect. For a child in its
  // parent's group the same as signal().
  Result<> signal_group(int signal);

  // Queued and written as the child reads. What a child does not want any more is dropped: that is no error.
  void write_stdin(Bytes bytes);
  // After what is queued. The child then reads end of file.
  void close_stdin();
  // Bytes accepted and not yet taken by the child.
  std::size_t stdin_backlog() const;

  // Nothing is read while paused: the child will block on a full pipe. on_exit is held back, too, until
  // resumed.
  void pause_output();
  void resume_output();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hostmesh
