// ChildLauncher: how the child state machine starts, signals and hears of one process, wherever it runs.
//
// Three things implement it: LocalLauncher (children of this process), InProcessLauncher (procs inside this
// process) and PluginLauncher (whatever a plugin does). The machine above knows only this, so that there is
// one place where a child can be lost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/base/secret.hpp"
#include "hostmesh/process/exit_status.hpp"
#include "hostmesh/process/stdio.hpp"

namespace hostmesh {

// One launch, unique within its launcher for the launcher's life.
using LaunchId = std::uint64_t;

using OutputStream = Stream;

struct LaunchRequest {
  Rank rank = 0;
  Incarnation incarnation = 0;
  std::vector<std::string> argv;         // argv[0] without '/' is searched in PATH of `environment`
  std::vector<std::string> environment;  // "NAME=value", complete
  std::string working_directory;         // empty: the launcher's own
  Bytes stdin_payload;                   // written to the child's stdin
  // kLifeline: stdin stays open after the payload; its EOF tells the child to exit. kPayloadThenEof: closed
  // after it.
  enum class Stdin : std::uint8_t { kLifeline, kPayloadThenEof } stdin_use = Stdin::kLifeline;
  // kForkServer: a copy of a running instance of the program, which must call bootstrap_if_child() (see
  // ForkServer). Only launchers of local processes know it; all launches of one launcher are then the same
  // program.
  enum class Start : std::uint8_t { kExec, kForkServer } start = Start::kExec;
  // kBootstrap: a child that connects to its owner, if need be over its stdin and stdout.
  enum class Protocol : std::uint8_t { kNone, kBootstrap } protocol = Protocol::kNone;
  // Only launchers of local processes know the following four.
  // kPreferred: a working directory that is not there, or cannot be entered, is the launcher's own.
  enum class Folder : std::uint8_t { kRequired, kPreferred } folder_use = Folder::kRequired;
  // kWithStdout: one pipe for both, so that the order of what is written is kept; all of it is stdout. Not
  // with a marker, a channel or a fork server.
  enum class Stderr : std::uint8_t { kOutput, kWithStdout } stderr_use = Stderr::kOutput;
  // The launch begins when this has come on stdout; what comes before is a greeting, at most 64 KiB. Empty:
  // it begins at once.
  std::string marker;
  // kChannel: behind the marker stdin and stdout are one stream for the owner, given out by on_channel.
  enum class Stdout : std::uint8_t { kOutput, kChannel } stdout_use = Stdout::kOutput;
};

// Reactor thread only; every event is delivered there too, never from inside a call.
class ChildLauncher {
 public:
  struct Events {
    // Before on_launched: the launch waits in a queue, for as long as that takes, until on_placed.
    std::function<void(LaunchId)> on_waiting{};
    // Before on_launched, where it is known by then: the machine that the launch is to be on.
    std::function<void(LaunchId, const std::string& node)> on_placed;
    // The process exists: its pid where it runs (0 when unknown) and the node's name.
    std::function<void(LaunchId, std::int64_t pid, const std::string& node)> on_launched;
    // Right behind on_launched, where stdout is a channel: the socket whose other end is the child's stdin
    // and stdout. A connection over it ends by shutdown(): the launcher keeps a duplicate, for close_stdin().
    std::function<void(LaunchId, UniqueFd)> on_channel;
    // Valid during the call. All that a child wrote before it ended comes before on_exited. With a marker it
    // may come before on_launched: stderr, and the greeting on stdout.
    std::function<void(LaunchId, OutputStream, ByteView)> on_output;
    // Terminal, exactly one of the two for each launch. Without an on_launched before it, on_exited is the
    // end of a command whose marker has not come.
    std::function<void(LaunchId, const ExitStatus&)> on_exited;
    std::function<void(LaunchId, const Error&)> on_failed;  // never started, or lost
  };

  // Kills what still runs; never blocks; no event is delivered after it began.
  virtual ~ChildLauncher() = default;

  virtual void launch(LaunchId id, LaunchRequest request) = 0;
  // To the child and its process group. Nothing happens when it has already ended or is not known. Before
  // on_launched, TERM and KILL cancel the launch: it fails, or comes up and gets the signal then.
  virtual void signal(LaunchId id, int signal_number) = 0;
  // Ends the lifeline.
  virtual void close_stdin(LaunchId id) = 0;
  // Backpressure: no on_output for this child between the two; its on_exited waits as well.
  virtual void pause_output(LaunchId id) = 0;
  virtual void resume_output(LaunchId id) = 0;
};

// Makes one that tells its events there. On the reactor.
using MakeChildLauncher = std::function<std::unique_ptr<ChildLauncher>(ChildLauncher::Events)>;

}  // namespace hostmesh
