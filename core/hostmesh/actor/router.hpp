// Router: finds the way of every envelope, and answers for those that have none.
//
// One per ActorSystem; reactor thread only, except where said. The way to a destination is, in this order: a
// proc of this system; the link bound to that proc; the link bound to its address; for a direct id what was
// dialled, the link of whoever dialled us from there, the dialer; the default link. Every call that goes out
// through a link is remembered until its answer comes back; when the link closes, each is answered with
// Cause::kPeerGone at once. So a call ends as soon as any process on its way does.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "hostmesh/actor/envelope.hpp"
#include "hostmesh/actor/ids.hpp"
#include "hostmesh/actor/link.hpp"
#include "hostmesh/base/deadline.hpp"

namespace hostmesh {

namespace detail {
struct SystemCore;
}

struct RouterCounters {
  std::uint64_t late_replies = 0;        // to calls that had ended
  std::uint64_t late_port_messages = 0;  // to ports that were closed
  std::uint64_t undeliverable = 0;       // sends that did not arrive and whose sender was told, or unknown
  std::uint64_t undecodable = 0;         // messages that were not what their port takes
  std::uint64_t forwarded = 0;           // envelopes from one link to another
  std::uint64_t calls_outstanding = 0;   // now
};

class Router {
 public:
  // At once when there is a link, or when the dialer's answer comes.
  using DialDone = std::function<void(Result<std::shared_ptr<Link>>)>;
  using Dialer = std::function<void(const ChannelAddr&, DialDone)>;

  explicit Router(detail::SystemCore& core);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // Starts the connection: from here on its events are the link's.
  std::shared_ptr<Link> add_link(std::shared_ptr<Connection> connection, LinkOptions options);

  // That proc is behind this link. Binding again replaces; a binding stays after its link has closed, and
  // then says why whenever it is used, until it is unbound.
  void bind(const ProcId& proc, std::shared_ptr<Link> link);
  void unbind(const ProcId& proc);
  // Every direct id at that address is: it is a host's, or a client's.
  void bind_address(const ChannelAddr& addr, std::shared_ptr<Link> link);
  // Whoever listens at that address has dialled us: his link is the way there as long as it is open and
  // nothing was dialled, or is being dialled, from here. Two that dial each other keep both connections, each
  // its own for sending: changing the way would let later messages overtake earlier ones.
  void bind_dialler(const ChannelAddr& addr, const std::shared_ptr<Link>& link);
  void unbind_address(const ChannelAddr& addr);
  // This process answers at that address: a direct id there that is neither a proc here nor bound is
  // unroutable, instead of being dialled or passed on.
  void add_own_address(const ChannelAddr& addr);
  // All bindings to this link, the default included.
  void unbind_link(const Link& link);
  // A proc's way out: its host. Null: none.
  void set_default(std::shared_ptr<Link> link);
  // Called once for an address until the link it made closes; messages wait meanwhile, in order, up to a
  // limit.
  void set_dialer(Dialer dialer);

  // A kSend from here. `envelope.ttl` is filled in. Never runs a handler or callback inside this call.
  void post(Envelope envelope, SendClass send_class);
  // A call from here; `done` runs on the reactor once, never inside this call. After the deadline: kTimeout.
  void call(PortId dest, ActorId sender, Bytes payload, SendClass send_class, Deadline deadline,
            std::function<void(Result<Bytes>)> done);

  // Any thread.
  RouterCounters counters() const;

  struct Impl;
  Impl& impl() { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace hostmesh
