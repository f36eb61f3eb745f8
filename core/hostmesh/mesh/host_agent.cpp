#include "hostmesh/mesh/host_agent.hpp"

#include <memory>
#include <utility>

namespace hostmesh {

namespace {

// A reply for a callback that must be copyable.
template <class R>
auto later(Reply<R> reply) {
  return [kept = std::make_shared<Reply<R>>(std::move(reply))](const R& value) { (*kept)(value); };
}

}  // namespace

void HostAgent::handle(Context&, const CreateProcs& request, Reply<void> reply) {
  const auto created = host_.create(request);
  if (created) {
    reply();
  } else {
    reply.fail(created.error());
  }
}

void HostAgent::handle(Context&, const OutputTaken& taken) {
  host_.output_taken(taken);
}

void HostAgent::handle(Context&, const StopProcs& request, Reply<std::vector<ProcChange>> reply) {
  host_.stop(request, later(std::move(reply)));
}

void HostAgent::handle(Context&, const SignalProcs& request) {
  host_.signal(request);
}

std::vector<ProcChange> HostAgent::handle(Context&, const GetProcStates& request) {
  return host_.states(request.mesh);
}

std::vector<std::string> HostAgent::handle(Context&, const ListMeshes&) {
  return host_.meshes();
}

void HostAgent::handle(Context&, const ShutdownHost& request, Reply<HostDown> reply) {
  host_.shutdown(request, later(std::move(reply)));
}

}  // namespace hostmesh
