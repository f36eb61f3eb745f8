// Runtime: what a client program makes first. One reactor thread, and everything that a mesh needs on it.
//
// main() makes it and hands it down; many may live in one process. Destroying it ends its thread; what was
// allocated through it must be gone by then, and what is not is killed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/actor/client.hpp"
#include "hostmesh/actor/table.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

namespace bootstrap {
struct Node;
}

struct RuntimeOptions {
  // Layers as in config.hpp; the default reads this process's environment.
  Config config = Config::from_process_environment();
  // kWholeProcess: this process exists for its mesh (the command line does). Then every orphan below it is
  // ours, to be collected and, at the end, killed. kShared: other code starts processes here too, and only
  // what hostmesh started is touched.
  enum class Descendants : std::uint8_t { kShared, kWholeProcess } descendants = Descendants::kShared;
  // Whether this process is the subreaper of what lies below it (PR_SET_CHILD_SUBREAPER), and so is given
  // what a launched process leaves when it dies; that is killed when it was killed, and reaped. kShared: only
  // while there is an allocation, and only orphans that are certain to be of it are touched: see
  // process/orphan_reaper.hpp. A daemon of other code that ends meanwhile stays a zombie until that code, or
  // the end of the program, reaps it. kNo: orphans go to whoever is above this process, and one that was
  // killed leaves them running.
  enum class Subreaper : std::uint8_t { kYes, kNo } subreaper = Subreaper::kYes;
  // Called on the reactor thread when something on it failed that nobody can be told of, as when there is no
  // memory or a callback of the program's threw. The default logs it and ends all calls with this error; what
  // was allocated can then only be let go of, which kills it.
  std::function<void(const Error&)> on_failure{};
};

class Runtime {
 public:
  // Throws an Error, with kResourceLimit when there is no thread, descriptor or memory for it.
  explicit Runtime(ActorTable actors = {}, RuntimeOptions options = {});
  // Waits for the reactor's current handler, never for children. A reactor that is blocked for good (a plugin
  // does not return) is logged, and left behind with its thread.
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  // The actor that calls from threads of this program come from.
  Client& client();
  Config& config();
  Reactor& reactor();

  // Runs `work` on the reactor and waits for it; an exception in it comes out here. A reactor that has not
  // come to it within kReactorPatience is blocked: then `work` will not run, and kTimeout is thrown, which
  // names what blocks it. Calling this on the reactor thread is an error that says so.
  void run_on_reactor(const std::function<void()>& work);
  // The same for work that may itself block, because it calls a plugin: kTimeout comes when it has not ended
  // by then, and it may be running still, or run later. So it must own what it touches.
  void run_on_reactor(std::function<void()> work, Duration within);
  // kWholeProcess only, otherwise nothing: kills every process below this one and waits until they are gone.
  // Returns the names of those that were left and had to be killed. kTimeout: some could not be killed in
  // time.
  Result<std::vector<std::string>> sweep(Deadline deadline);

  bootstrap::Node& node();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostmesh
