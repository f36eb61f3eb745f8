// ProcAgent: the actor `agent` of every proc, through which its owner puts actors on it.
#pragma once

#include <functional>
#include <memory>

#include "hostmesh/actor/context.hpp"
#include "hostmesh/actor/reply.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/mesh/messages.hpp"

namespace hostmesh {

// On the reactor. A request that fails is answered so; it never fails the agent.
class ProcAgent final : public Actor {
 public:
  using Handles = ProcAgentProtocol::Handles;
  // Types that are made here rather than by the program's table; null when it is none of them.
  using BuiltIn = std::function<std::optional<Result<ActorId>>(Proc&, const SpawnActor&)>;

  ProcAgent(const Config& config, BuiltIn built_in) : config_(config), built_in_(std::move(built_in)) {}

  void handle(Context& context, const SpawnActor& request, Reply<ActorId> reply);
  void handle(Context& context, const StopActor& request, Reply<void> reply);
  std::map<std::string, std::string> handle(Context& context, const GetConfig& request);

 private:
  const Config& config_;
  const BuiltIn built_in_;
};

}  // namespace hostmesh
