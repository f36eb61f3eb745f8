// Configuration attributes: typed, with defaults, in layers, carried to children.
//
// Every attribute NAME can be set by the environment variable HOSTMESH_NAME. Where several layers set one,
// the highest wins: TestOverride > Env > Runtime > File > ClientOverride > default. Environment above what a
// client sends is the order of the system that this project implements; a client's value that an environment
// variable masks is logged. A Config belongs to a Runtime; there is no global one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "hostmesh/base/deadline.hpp"

namespace hostmesh {

enum class ConfigLayer : std::uint8_t { kClientOverride, kFile, kRuntime, kEnv, kTestOverride };
inline constexpr std::size_t kConfigLayers = 5;

// T is Duration, std::uint64_t, bool or std::string_view.
template <class T>
struct Attribute {
  std::string_view name;  // upper case, without HOSTMESH_
  T fallback;
  bool propagate = true;  // carried to children
};

namespace attribute {
using namespace std::chrono_literals;
// Bounds on what a peer may send.
inline constexpr Attribute<std::uint64_t> kCodecMaxFrameLength{"CODEC_MAX_FRAME_LENGTH", 64 << 20};  // bytes
inline constexpr Attribute<std::uint64_t> kMaxHalfOpen{"MAX_HALF_OPEN",
                                                       4096};  // peers still in their handshake
// What may wait in one connection: beyond the first, senders of bulk are held back; beyond the second, it is
// given up.
inline constexpr Attribute<std::uint64_t> kBulkQueueLimit{"BULK_QUEUE_LIMIT", 4 << 20};          // bytes
inline constexpr Attribute<std::uint64_t> kControlQueueLimit{"CONTROL_QUEUE_LIMIT", 256 << 20};  // bytes
inline constexpr Attribute<Duration> kHandshakeTimeout{"HANDSHAKE_TIMEOUT", 5s};
// Tcp is TLS, except between addresses of this machine.
inline constexpr Attribute<bool> kTcpInsecure{"TCP_INSECURE", false};         // plain between machines too
inline constexpr Attribute<bool> kTcpTlsLoopback{"TCP_TLS_LOOPBACK", false};  // TLS within this machine too
// Connections over TLS or between machines, which may break and come back: silence until one counts as
// broken; from the last sign of life until its peer counts as gone; the same from an end without goodbye,
// where the peer is who must come back.
inline constexpr Attribute<Duration> kSessionSilence{"SESSION_SILENCE", 4s};  // zero: never
inline constexpr Attribute<Duration> kSessionGrace{"SESSION_GRACE", 10s};     // zero: they may not come back
inline constexpr Attribute<Duration> kSessionReturn{"SESSION_RETURN", 1s};
// The address or name to listen at, and the one to give to others; empty: the one that is listened at.
inline constexpr Attribute<std::string_view> kTcpBind{"TCP_BIND", "127.0.0.1", false};
inline constexpr Attribute<std::string_view> kTcpAdvertise{"TCP_ADVERTISE", "", false};
inline constexpr Attribute<Duration> kMessageDeliveryTimeout{"MESSAGE_DELIVERY_TIMEOUT", 30s};
inline constexpr Attribute<std::uint64_t> kMessageTtl{"MESSAGE_TTL_DEFAULT", 64};  // hops
// The child state machine.
inline constexpr Attribute<Duration> kLaunchTimeout{"LAUNCH_TIMEOUT",
                                                    30s};                  // launch until the process exists
inline constexpr Attribute<Duration> kHelloTimeout{"HELLO_TIMEOUT", 30s};  // created until Hello
inline constexpr Attribute<Duration> kStartTimeout{"START_TIMEOUT", 30s};  // StartProc until StartedProc
inline constexpr Attribute<Duration> kHeartbeatTimeout{"HEARTBEAT_TIMEOUT",
                                                       10s};  // silence until it counts as frozen
inline constexpr Attribute<Duration> kOwnerTimeout{"OWNER_TIMEOUT",
                                                   60s};  // an owner far away silent until it is gone
inline constexpr Attribute<Duration> kProcessExitTimeout{"PROCESS_EXIT_TIMEOUT",
                                                         10s};  // StopAndExit until TERM
inline constexpr Attribute<Duration> kKillTimeout{"KILL_TIMEOUT",
                                                  5s};  // TERM until KILL, KILL until given up
inline constexpr Attribute<Duration> kOutputDrainTimeout{
    "OUTPUT_DRAIN_TIMEOUT", 2s};  // end of a child until its output is not awaited from others any more
inline constexpr Attribute<std::uint64_t> kLaunchConcurrency{"LAUNCH_CONCURRENCY",
                                                             64};  // launches under way at once
inline constexpr Attribute<bool> kPdeathsig{"MESH_BOOTSTRAP_ENABLE_PDEATHSIG", true};
inline constexpr Attribute<std::uint64_t> kTailLogLines{"MESH_TAIL_LOG_LINES",
                                                        20};  // kept for failure reports
// Plugins.
inline constexpr Attribute<Duration> kPluginLoadTimeout{"PLUGIN_LOAD_TIMEOUT",
                                                        10s};  // from opening it until it has said what it is
// Actors.
inline constexpr Attribute<Duration> kStopActorTimeout{"STOP_ACTOR_TIMEOUT", 10s};
inline constexpr Attribute<std::uint64_t> kWorkerThreads{"WORKER_THREADS", 4, false};
// Host meshes.
inline constexpr Attribute<Duration> kHostSpawnReadyTimeout{"HOST_SPAWN_READY_TIMEOUT", 30s};
inline constexpr Attribute<Duration> kProcSpawnMaxIdle{"MESH_PROC_SPAWN_MAX_IDLE", 30s};
inline constexpr Attribute<Duration> kProcStopMaxIdle{"MESH_PROC_STOP_MAX_IDLE", 30s};
inline constexpr Attribute<Duration> kGetProcStateMaxIdle{"MESH_GET_PROC_STATE_MAX_IDLE", 60s};
inline constexpr Attribute<Duration> kActorSpawnMaxIdle{"MESH_ACTOR_SPAWN_MAX_IDLE", 30s};
inline constexpr Attribute<Duration> kTerminateTimeout{"MESH_TERMINATE_TIMEOUT", 10s};
inline constexpr Attribute<std::uint64_t> kTerminateConcurrency{"MESH_TERMINATE_CONCURRENCY",
                                                                16};  // 1 to 256
}  // namespace attribute

// Thread-safe.
class Config {
 public:
  // Reads the Env layer from `environment`, a null-terminated array of "NAME=value" such as ::environ, or
  // nothing when null. A variable of ours that cannot be read as its type is ignored when asked for, with one
  // warning.
  explicit Config(const char* const* environment = nullptr);
  // The Env layer is this process's environment.
  static Config from_process_environment();
  Config(const Config& other);
  Config& operator=(const Config&) = delete;

  Duration get(const Attribute<Duration>& attribute) const;
  std::uint64_t get(const Attribute<std::uint64_t>& attribute) const;
  bool get(const Attribute<bool>& attribute) const;
  std::string get(const Attribute<std::string_view>& attribute) const;

  void set(ConfigLayer layer, const Attribute<Duration>& attribute, Duration value);
  void set(ConfigLayer layer, const Attribute<std::uint64_t>& attribute, std::uint64_t value);
  void set(ConfigLayer layer, const Attribute<bool>& attribute, bool value);
  void set(ConfigLayer layer, const Attribute<std::string_view>& attribute, std::string_view value);
  // Text forms, for files and the command line. An unknown name or a value of the wrong type is an error.
  Result<> set_text(ConfigLayer layer, std::string_view name, std::string_view value);
  void clear(ConfigLayer layer);

  // What a child gets: the effective value of each attribute that some layer sets and that propagates.
  std::map<std::string, std::string> propagated() const;
  // Installs a parent's snapshot as ClientOverride. Unknown names are kept and ignored: versions may differ.
  void install_from_parent(const std::map<std::string, std::string>& snapshot);

 private:
  template <class T>
  T read(const Attribute<T>& attribute) const;
  void write(ConfigLayer layer, std::string_view name, std::string value);

  mutable std::mutex mutex_;
  std::array<std::map<std::string, std::string, std::less<>>, kConfigLayers> layers_;
  mutable std::map<std::string, bool, std::less<>> warned_;
};

}  // namespace hostmesh
