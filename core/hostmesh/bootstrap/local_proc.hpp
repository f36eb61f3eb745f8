// LocalProc: a child that lives inside this very process.
//
// To its owner it is like any other: it dials, proves its key, says Hello, is told to stop, and its end is
// reported. What a process gets from the kernel is done here: a lifeline, signals, and an end that takes
// everything with it, except that a user actor which is at work cannot be interrupted; it is waited for, a
// second long. Owned by the engine until nothing of it runs any more. Reactor thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hostmesh/bootstrap/child_end.hpp"
#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/process/exit_status.hpp"

namespace hostmesh::bootstrap {

//             at once                      in order                 done stopping
// running     -> leaving                   -> stopping              -
// stopping    -> leaving                   -                        -> leaving
// leaving     -                            -                        -
//
// Leaving: say the last words, close everything, wait for actors at work, kill orphans, report. The first
// status holds, but for KILL, which replaces it until the end has been reported.
class LocalProc : public std::enable_shared_from_this<LocalProc> {
 public:
  // Exactly one of the two, once, never from inside a call.
  struct Events {
    std::function<void(const ExitStatus&)> on_ended;
    std::function<void(const Error&)> on_failed;  // it could not become a proc
  };

  // In the process of `home`. `environment` is what a process would get: the owner's address and the
  // allocation are in it. Nothing happens before begin(). An error when it cannot be a child.
  static Result<std::shared_ptr<LocalProc>> make(Node& home, ByteView payload,
                                                 const std::vector<std::string>& environment, Events events);
  LocalProc(Node& home, const Config& config, Events events);
  ~LocalProc();
  LocalProc(const LocalProc&) = delete;
  LocalProc& operator=(const LocalProc&) = delete;

  void begin();
  // TERM, INT, HUP: in order, with code 0. KILL: at once. Others do nothing.
  void signal(int number);
  // At once, with code 1.
  void close_lifeline();
  // KILL, and no event any more.
  void abandon();

  // Ends all that are in the engine, when its reactor no longer runs. Those with an actor that is stuck are
  // left behind in memory, with a warning.
  static void drop_all(Engine& engine);

 private:
  enum class Phase : std::uint8_t { kRunning, kStopping, kLeaving, kReported };

  void stop_dialling();
  void end_in_order(const ExitStatus& status);
  void end_at_once(const ExitStatus& status);
  void fail(const Error& error);
  void leave();
  void close();
  void on_idle();
  void report();
  void forget();

  Node node_;
  Events events_;
  std::shared_ptr<ChildEnd> end_;
  Phase phase_ = Phase::kRunning;
  bool is_dialling_ = false;
  bool closed_ = false;
  bool idle_ = false;
  ExitStatus status_;
  std::optional<Error> failure_;
  std::unique_ptr<Timer> give_up_;
};

}  // namespace hostmesh::bootstrap
