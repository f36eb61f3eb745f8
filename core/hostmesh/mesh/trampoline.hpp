// Trampoline: the actor that turns the proc it is spawned on into a host, and says so to whoever asked.
#pragma once

#include <memory>

#include "hostmesh/actor/context.hpp"
#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/mesh/host.hpp"

namespace hostmesh {

class Trampoline final : public Actor {
 public:
  using Handles = Messages<>;
  // What travels in SpawnActor::params.
  struct Params {
    Rank rank = 0;     // sent back with the answer
    ChannelAddr addr;  // the front address of the host to be: where its process listens
    PortRef<HostReady> answer;
  };

  // Spawns one; `host` is filled in, and must outlive the proc. Its host is made before this returns, so that
  // what cannot be is an error here.
  static Result<ActorId> spawn(Proc& proc, const SpawnActor& request, bootstrap::Node& node,
                               std::unique_ptr<Host>& host);

  explicit Trampoline(Params params) : params_(std::move(params)) {}
  void init(Context& context) override;

 private:
  const Params params_;
};

}  // namespace hostmesh
