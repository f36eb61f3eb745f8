// ActorMesh: one actor of a type on every proc of a mesh.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "hostmesh/actor/client.hpp"
#include "hostmesh/mesh/gather.hpp"
#include "hostmesh/shape/extent.hpp"

namespace hostmesh {

// Made by ProcMesh::spawn. Any thread but the reactor's for what waits.
template <class A>
class ActorMesh {
 public:
  ActorMesh(Client& client, Extent extent, std::vector<ActorId> actors, Duration call_timeout)
      : client_(&client), extent_(std::move(extent)), call_timeout_(call_timeout) {
    for (ActorId& actor : actors) refs_.push_back(ActorRef<A>::attest(std::move(actor)));
  }

  const Extent& extent() const { return extent_; }
  const ActorRef<A>& at(Rank rank) const { return refs_.at(rank); }
  const std::vector<ActorRef<A>>& refs() const { return refs_; }

  // To every rank; does not wait.
  template <class M>
  void cast(const M& message) {
    for (const ActorRef<A>& ref : refs_) client_->send(ref, message);
  }

  // Asks every rank and waits for all answers, in rank order, each with its point. Throws Error naming the
  // ranks that did not answer, and why, as soon as all others have.
  template <class M>
  std::vector<std::pair<Point, typename M::Reply>> call(const M& message) {
    return call(message, Deadline::after(call_timeout_));
  }
  template <class M>
  std::vector<std::pair<Point, typename M::Reply>> call(const M& message, Deadline deadline) {
    refuse_on_reactor(*client_, "ActorMesh::call()");
    Gather<typename M::Reply> gather(refs_.size(), deadline);
    for (Rank rank = 0; rank < refs_.size(); ++rank) {
      client_->call_async(refs_[rank], message, deadline, gather.slot(rank));
    }
    auto answers = value_or_throw(gather.wait("call"));
    std::vector<std::pair<Point, typename M::Reply>> placed;
    placed.reserve(answers.size());
    for (Rank rank = 0; rank < answers.size(); ++rank) {
      placed.emplace_back(*extent_.point_of_rank(rank), std::move(answers[rank]));
    }
    return placed;
  }

 private:
  Client* client_;
  Extent extent_;
  std::vector<ActorRef<A>> refs_;
  Duration call_timeout_;
};

}  // namespace hostmesh
