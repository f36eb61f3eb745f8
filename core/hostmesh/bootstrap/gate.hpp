// Gate: where launched children, and later other members of their allocation, come in.
//
// The owner's end of the bootstrap protocol. It listens, lets through only who proves the key of a child that
// is awaited (or membership of the allocation), turns what a child says into events of its Children, and
// binds it into the router. One Gate of a process serves all its allocations. Reactor thread only.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "hostmesh/actor/system.hpp"
#include "hostmesh/alloc/children.hpp"
#include "hostmesh/bootstrap/messages.hpp"
#include "hostmesh/channel/listener.hpp"

namespace hostmesh::bootstrap {

// Whom a Gate asks about the children of one allocation. Outlives its admission; called on the reactor, never
// from inside a call to the Gate.
class Guests {
 public:
  virtual ~Guests() = default;
  virtual Children& children() = 0;
  // What a child that said Hello is told to become.
  virtual StartProc start_for(ChildId child, const Hello& hello) = 0;
  // It has become that. The link is bound in the router already.
  virtual void started(ChildId child, const StartedProc& proc, const std::shared_ptr<Link>& link) = 0;
};

class Gate {
 public:
  Gate(Reactor& reactor, const Config& config, ActorSystem& system);
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // To be called before address(): resolves the names in the configuration of tcp, if there are any. `done`
  // runs once, within this call when there is nothing to wait for, and not after the Gate's destruction.
  void prepare(Transport transport, Deadline deadline, std::function<void(Result<>)> done);
  // The address for children that reach us over `transport`; the listener is made at the first call.
  Result<ChannelAddr> address(Transport transport);

  // From here on children of `allocation` may come in, each with the key that `secret` gives it.
  void admit(const std::string& allocation, const Secret& secret, Guests& guests);
  // The child `rank` of `allocation` may come in over this socket, and nobody else.
  void serve(UniqueFd socket, const std::string& allocation, Rank rank);
  // Nobody comes in under this name any more. Connections that stand are closed.
  void dismiss(const std::string& allocation);
  // Other members of `allocation` (its hosts, its client) may come in with keys from `peer_secret`.
  void admit_peers(const std::string& allocation, const Secret& peer_secret);

  // A child was turned away or broke the protocol before anything else could be said of it: for logs and
  // tests.
  std::uint64_t refused() const;
  // Why the last one was; empty when none was. Also what kept a listener from letting anybody in, such as the
  // lack of descriptors.
  std::string last_refusal() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh::bootstrap
