// What the client says to the agents of procs and hosts, and what they answer.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/actor/actor.hpp"
#include "hostmesh/actor/ref.hpp"
#include "hostmesh/alloc/proc_state.hpp"
#include "hostmesh/base/deadline.hpp"
#include "hostmesh/shape/extent.hpp"
#include "hostmesh/shape/status.hpp"

namespace hostmesh {

// The well-known names: every host has a service proc, every proc an agent.
inline constexpr const char* kServiceProc = "service";
inline constexpr const char* kAgentActor = "agent";

// --- to the agent of a proc
// ---------------------------------------------------------------------------------------

struct SpawnActor {
  static constexpr std::string_view kMessage = "proc_agent.spawn_actor";
  using Reply = ActorId;
  std::string type;  // as registered in the program's ActorTable
  std::string name;
  Bytes params;                                    // of actor_params()
  std::optional<PortRef<SupervisionEvent>> owner;  // who hears of its end
};

struct StopActor {
  static constexpr std::string_view kMessage = "proc_agent.stop_actor";
  using Reply = void;
  ActorId actor;
  Duration within{};  // until the answer says that it did not stop
};

// The text forms of the effective configuration values with these names, for those that some layer sets.
struct GetConfig {
  static constexpr std::string_view kMessage = "proc_agent.get_config";
  using Reply = std::map<std::string, std::string>;
};

// The built-in actor type that turns a proc into a host, and what it answers when it has.
inline constexpr const char* kTrampoline = "hostmesh.trampoline";
struct HostReady {
  static constexpr std::string_view kMessage = "trampoline.host_ready";
  Rank rank = 0;  // that the trampoline was given: hosts are placed by it, never by order of arrival
  ActorId agent;
};

// --- to the agent of a host
// ---------------------------------------------------------------------------------------

// How the procs of one mesh are started on a host.
struct ProcTemplate {
  enum class Kind : std::uint8_t {
    kBootstrap = 1,  // speaks the protocol and takes actors
    kCommand = 2,    // a plain command of the user's
  };
  Kind kind = Kind::kBootstrap;
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=value", complete but for what the host adds for each rank
  std::string working_directory;         // used where it can be entered on the host
  enum class Stderr : std::uint8_t {
    kOwn = 1,         // a stream of its own
    kWithStdout = 2,  // what a command writes to it comes as stdout, in the order of the writes
  };
  Stderr stderr_use = Stderr::kOwn;  // of kCommand
  bool takes_hosts_own = false;      // the host adds to `environment`: see add_hosts_own()
};

// A rank's status and what belongs to it.
struct ProcChange {
  Rank rank = 0;
  Status status;
  std::int64_t pid = 0;
  std::optional<StopReason> reason;  // once it has ended
};

// Changes of one mesh on one host, in order; coalesced per turn of the host's reactor.
struct ProcChanges {
  static constexpr std::string_view kMessage = "host_agent.proc_changes";
  std::string mesh;
  std::vector<ProcChange> changes;
};

// What a command wrote, in order, and then once its end: everything it wrote comes before it.
struct ProcOutput {
  static constexpr std::string_view kMessage = "host_agent.proc_output";
  static constexpr bool kBulk = true;
  enum class What : std::uint8_t { kStdout = 1, kStderr = 2, kEnd = 3 };
  Rank rank = 0;
  What what = What::kStdout;
  Bytes bytes;
  std::optional<StopReason> reason;  // kEnd: unset when it was never started
  std::string failure;               // kEnd: why it was never started
};

struct CreateProcs {
  static constexpr std::string_view kMessage = "host_agent.create_procs";
  using Reply = void;     // accepted; the procs themselves are told of through `changes`
  std::string mesh;       // unique name; a proc is `mesh_rank`
  std::string host_mesh;  // text, for HOSTMESH_MESH
  Extent extent;          // of the whole proc mesh: the hosts' and then the per-host one
  Rank host_rank = 0;
  Rank first_rank = 0;
  std::uint64_t count = 0;  // procs on this host
  ProcTemplate proc;
  std::map<std::string, std::string> config;
  Duration ready_within{};  // each proc, from being asked for to running
  PortRef<ProcChanges> changes;
  std::optional<PortRef<ProcOutput>> output;
  std::uint64_t output_window =
      1 << 20;  // bytes of output that may be under way; beyond it commands are held back
};

// The receiver of ProcOutput has taken this much: more may be sent.
struct OutputTaken {
  static constexpr std::string_view kMessage = "host_agent.output_taken";
  std::string mesh;
  std::uint64_t bytes = 0;
};

// Answers when all procs of the mesh here have ended, with what became of each. An unknown mesh has none.
struct StopProcs {
  static constexpr std::string_view kMessage = "host_agent.stop_procs";
  using Reply = std::vector<ProcChange>;
  std::string mesh;
  std::optional<Duration> grace;  // until TERM becomes KILL; unset: the configured times
  bool drops_output = false;  // nobody takes it any more: what exceeds the window does not hold the end back
};

// A signal for each proc of the mesh here that runs or is being stopped, and for its process group. Procs
// that have not started yet do not get it: they could not have prepared for it.
struct SignalProcs {
  static constexpr std::string_view kMessage = "host_agent.signal_procs";
  std::string mesh;
  std::int32_t signal = 0;  // 1 to 64, as Linux counts them on most machines
};

struct GetProcStates {
  static constexpr std::string_view kMessage = "host_agent.get_proc_states";
  using Reply = std::vector<ProcChange>;
  std::string mesh;
};

struct ListMeshes {
  static constexpr std::string_view kMessage = "host_agent.list_meshes";
  using Reply = std::vector<std::string>;
};

// A process that a command had started and left running when it ended.
struct LeftBehind {
  std::optional<Rank> rank;  // of the command, where its environment still says so
  std::int64_t pid = 0;      // on its host
  std::string name;          // at most 15 bytes
};

struct HostDown {
  std::uint64_t given_up = 0;           // procs that did not end
  std::vector<LeftBehind> left_behind;  // is killed when the host goes
};

// Stops every proc, at most `max_in_flight` at a time; answers when the last one is gone. Afterwards nothing
// can be created any more.
struct ShutdownHost {
  static constexpr std::string_view kMessage = "host_agent.shutdown";
  using Reply = HostDown;
  Duration terminate_within{};  // for each proc: TERM until KILL
  std::uint64_t max_in_flight = 16;
};

// Only these names are needed to talk to an agent; the actors themselves are in the process they live in.
struct ProcAgentProtocol {
  using Handles = Messages<SpawnActor, StopActor, GetConfig>;
};
struct HostAgentProtocol {
  using Handles =
      Messages<CreateProcs, OutputTaken, StopProcs, SignalProcs, GetProcStates, ListMeshes, ShutdownHost>;
};

}  // namespace hostmesh
