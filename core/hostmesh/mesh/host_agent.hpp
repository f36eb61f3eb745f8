// HostAgent: the actor `agent` on a host's service proc. It never waits: what cannot be answered yet is
// answered later.
#pragma once

#include "hostmesh/actor/context.hpp"
#include "hostmesh/actor/reply.hpp"
#include "hostmesh/mesh/host.hpp"
#include "hostmesh/mesh/messages.hpp"

namespace hostmesh {

class HostAgent final : public Actor {
 public:
  using Handles = HostAgentProtocol::Handles;

  explicit HostAgent(Host& host) : host_(host) {}

  void handle(Context& context, const CreateProcs& request, Reply<void> reply);
  void handle(Context& context, const OutputTaken& taken);
  void handle(Context& context, const StopProcs& request, Reply<std::vector<ProcChange>> reply);
  void handle(Context& context, const SignalProcs& request);
  std::vector<ProcChange> handle(Context& context, const GetProcStates& request);
  std::vector<std::string> handle(Context& context, const ListMeshes& request);
  void handle(Context& context, const ShutdownHost& request, Reply<HostDown> reply);

 private:
  Host& host_;  // owns the proc that this lives on
};

}  // namespace hostmesh
