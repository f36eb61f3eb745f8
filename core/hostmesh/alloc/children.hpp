// Children: all the processes that one owner has launched, each driven by its ChildMachine.
//
// Here the machine meets the world: the launcher, the connections, the clock. An allocation owns one for its
// ranks, a host owns one for its procs. Reactor thread only; no event is delivered from inside a call.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/alloc/child_machine.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/child_launcher.hpp"

namespace hostmesh {

// One child over all its incarnations; chosen by the owner, unique within a Children.
using ChildId = std::uint64_t;

// The parent's end of the protocol with one child: the connection on which it said Hello.
class ChildControl {
 public:
  virtual ~ChildControl() = default;
  virtual void start_proc() = 0;
  virtual void stop_and_exit(int code) = 0;
  virtual void heartbeat() = 0;
};

struct ChildSpec {
  ChildKind kind = ChildKind::kProtocol;
  // What to launch. Called for each incarnation, on the reactor.
  std::function<LaunchRequest(Incarnation)> request;
  ChildTiming timing;
  RespawnPolicy respawn;
  std::size_t tail_lines = 20;  // of stderr, kept for the StopReason
  bool elsewhere = false;       // on another machine: its silence may as well be that machine's
};

struct ChildCreated {
  ShortUuid create_key;
  Incarnation incarnation = 0;
  std::int64_t pid = 0;
  std::string node;
};

class Children {
 public:
  struct Events {
    std::function<void(ChildId, const ChildCreated&)> on_created;
    std::function<void(ChildId)> on_running;
    // Terminal for this incarnation. `last` says whether another one follows.
    enum class More : std::uint8_t { kNo, kRespawn };
    std::function<void(ChildId, const StopReason&, More)> on_stopped;
    // Terminal: it could not be launched.
    std::function<void(ChildId, const Error&)> on_failed;
    // Bytes as they come, valid during the call; before on_stopped of the same incarnation.
    std::function<void(ChildId, Stream, ByteView)> on_output;
    // A child whose stdin and stdout are its connection to us: this socket is their other end.
    std::function<void(ChildId, UniqueFd)> on_channel{};
  };
  using MakeLauncher = std::function<Result<std::unique_ptr<ChildLauncher>>(ChildLauncher::Events)>;

  // `launch_limit`: how many launches may be under way at once, at least 1.
  static Result<std::unique_ptr<Children>> make(Reactor& reactor, const MakeLauncher& make_launcher,
                                                std::size_t launch_limit, Events events);
  // Whatever still runs is killed; no event is delivered any more.
  ~Children();
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;

  void add(ChildId id, ChildSpec spec);
  // Forgets one that has ended.
  void remove(ChildId id);

  // From the connections. Those about another incarnation than the present one are ignored.
  // False: this connection is not wanted, the caller closes it.
  bool hello(ChildId id, Incarnation incarnation, std::shared_ptr<ChildControl> control);
  void started(ChildId id, Incarnation incarnation);
  void heard(ChildId id, Incarnation incarnation);
  void disconnected(ChildId id, Incarnation incarnation, std::string_view why);
  void violated(ChildId id, Incarnation incarnation, std::string_view how);
  // The incarnation that may say Hello now.
  std::optional<Incarnation> incarnation(ChildId id) const;

  // Also forbids respawns. Children whose launch has not begun end at once, without an event if they were
  // never created.
  void stop(ChildId id, std::optional<Duration> grace = std::nullopt);
  void kill(ChildId id);
  // Hands a signal to a child that runs or is being stopped, and to its process group; any other child is
  // left alone. The machine is not told: a child that ends of it has ended by itself.
  void signal(ChildId id, int signal_number);
  void pause_output(ChildId id);
  void resume_output(ChildId id);

  std::size_t alive() const;  // added and not ended
  std::optional<ChildPhase> phase(ChildId id) const;

 private:
  struct Impl;
  explicit Children(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh
