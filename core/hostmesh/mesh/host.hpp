// Host: a process that starts procs and stands at the gate for them.
//
// Made by the trampoline inside an allocated proc. It owns its procs through the same state machine as an
// allocation owns its hosts, and drives all of them concurrently: a request only records what is wanted,
// answers come from what happens. Reactor thread only; it lives as long as its process.
#pragma once

#include <functional>
#include <memory>

#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/mesh/host_ref.hpp"
#include "hostmesh/mesh/messages.hpp"

namespace hostmesh {

class Host {
 public:
  // `addr`: the front address, at which this process is a gateway. Makes the service proc and the agent on
  // it.
  static Result<std::unique_ptr<Host>> make(bootstrap::Node& node, const ChannelAddr& addr);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const HostRef& ref() const;

  // The work behind the agent's messages.
  Result<> create(const CreateProcs& request);
  void output_taken(const OutputTaken& taken);
  // `done` when all procs of the mesh have ended.
  void stop(const StopProcs& request, std::function<void(std::vector<ProcChange>)> done);
  // Hands a signal to the procs of the mesh. Neither an unknown mesh nor a number that is no signal does
  // anything.
  void signal(const SignalProcs& request);
  std::vector<ProcChange> states(const std::string& mesh) const;
  std::vector<std::string> meshes() const;
  // `done(given_up)` when no proc is left. Nothing can be created from here on.
  void shutdown(const ShutdownHost& request, std::function<void(const HostDown&)> done);

 private:
  struct Impl;
  explicit Host(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh
