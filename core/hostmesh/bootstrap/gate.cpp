#include "hostmesh/bootstrap/gate.hpp"

#include <cerrno>
#include <functional>
#include <set>
#include <string>
#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/bootstrap/refusals.hpp"
#include "hostmesh/bootstrap/tcp_names.hpp"
#include "hostmesh/channel/stdio.hpp"

namespace hostmesh::bootstrap {

namespace {

// How long a goodbye may take before a connection is just cut.
constexpr Duration kFarewell = std::chrono::seconds(1);

struct Party {
  Secret secret;
  Guests* guests = nullptr;  // null: only peers come in under this name
  Secret peer_secret;
};

using Listening = Result<std::unique_ptr<Listener>>;

// At the first port that is free.
Listening listen_at_one_of(const ChannelAddr& ip, const TcpNames::Ports& ports,
                           const std::function<Listening(const ChannelAddr&)>& listen) {
  for (unsigned port = ports.first; port <= ports.last; ++port) {
    const auto where = ChannelAddr::tcp(ip.name(), static_cast<std::uint16_t>(port));
    if (!where) return where.error();
    auto made = listen(*where);
    if (made || made.error().info().os_error != EADDRINUSE) return made;
  }
  return Error(Cause::kResourceLimit, "no port from " + std::to_string(ports.first) + " to " +
                                          std::to_string(ports.last) + " is free at " + ip.name() +
                                          "; see TCP_BIND");
}

}  // namespace

struct Gate::Impl : std::enable_shared_from_this<Gate::Impl> {
  Impl(Reactor& its_reactor, const Config& its_config, ActorSystem& its_system)
      : reactor(its_reactor), config(its_config), system(its_system), names(its_reactor, its_config) {}
  ~Impl() {
    if (refusals.left_out() == 0) return;
    log::warning("more peers were turned away " + log::field("count", std::to_string(refusals.left_out())));
  }

  // One child's connection, from its first message on; the Children's way to speak to it.
  struct Visitor final : ChildControl, std::enable_shared_from_this<Visitor> {
    std::weak_ptr<Impl> gate;
    std::string allocation;
    ChildId child = 0;
    Incarnation incarnation = 0;
    std::shared_ptr<Link> link;
    // Refused: another connection of this child was first. What it says counts for nothing.
    enum class Standing : std::uint8_t { kNew, kAccepted, kRefused } standing = Standing::kNew;
    Hello hello;
    StartProc assigned;

    template <class M>
    void tell(const M& message) {
      if (link) link->send_side(pack(message), SendClass::kControl);
    }
    void start_proc() override {
      const auto self = gate.lock();
      if (Guests* guests = self ? self->guests_of(allocation) : nullptr) {
        assigned = guests->start_for(child, hello);
        tell(assigned);
      }
    }
    void stop_and_exit(int code) override { tell(StopAndExit{.code = code}); }
    void heartbeat() override { tell(Heartbeat{}); }
  };

  Party* party_of(const std::string& allocation) {
    const auto found = parties.find(allocation);
    return found == parties.end() ? nullptr : &found->second;
  }
  Guests* guests_of(const std::string& allocation) {
    Party* party = party_of(allocation);
    return party == nullptr ? nullptr : party->guests;
  }

  // Over a stream that is there already; refused like at a listener.
  void serve(UniqueFd socket, const std::string& allocation, Rank rank) {
    const std::uint64_t number = next_arrival++;
    const auto weak = weak_from_this();
    arrivals[number] = accept_over(
        reactor,
        {.in = std::move(socket),
         .out = {},
         .description = "the stdin and stdout of rank " + std::to_string(rank)},
        {.identity = kOwnerIdentity,
         .key_of = [weak, allocation, rank](const PeerClaim& claim) -> Result<Secret> {
           const auto self = weak.lock();
           if (!self) return Error(Cause::kAuthentication, "nobody is let in any more");
           if (claim.role != Role::kChild || claim.allocation != allocation || claim.rank != rank) {
             return Error(Cause::kAuthentication, to_string(claim) + " is not who was started there");
           }
           return self->key_of(claim);
         },
         .on_refused = nullptr},
        config, [weak, number, allocation, rank](Result<std::shared_ptr<Connection>> connection) {
          const auto self = weak.lock();
          if (!self) return;
          const auto arrival = self->arrivals.extract(number);
          if (connection) return self->on_connection(*std::move(connection));
          self->turn_away(allocation, rank, connection.error());
        });
  }

  // Of a peer at a listener.
  void tell_refusal(const Error& why, const std::string& who) {
    std::string line =
        "a peer was turned away " + log::field("who", who) + " " + log::field("why", why.text());
    // Somebody who only looked whether we are here.
    if (why.cause() == Cause::kPeerGone) return log::debug(line);
    const auto left_out = refusals.tell(std::chrono::steady_clock::now());
    if (!left_out) return log::debug(line);
    if (*left_out > 0) line += " " + log::field("before_it", std::to_string(*left_out));
    log::warning(line);
  }

  // What was started there is of no use without its connection.
  void turn_away(const std::string& allocation, Rank rank, const Error& why) {
    ++refused;
    last_refusal = why.text();
    const std::string line = "a peer was turned away " + log::field("rank", std::to_string(rank)) + " " +
                             log::field("why", why.text());
    // One that is gone ends by itself, and says why.
    if (why.cause() == Cause::kPeerGone) return log::debug(line);
    log::warning(line);
    Guests* guests = guests_of(allocation);
    const auto awaited = guests == nullptr ? std::nullopt : guests->children().incarnation(rank);
    if (!awaited) return;
    guests->children().violated(rank, *awaited, why.text());
  }

  Result<Secret> key_of(const PeerClaim& claim) {
    Party* party = party_of(claim.allocation);
    if (party == nullptr)
      return Error(Cause::kAuthentication, "no allocation '" + claim.allocation + "' is here");
    if (claim.role == Role::kPeer) {
      if (party->peer_secret.empty()) return Error(Cause::kAuthentication, "no other members are let in");
      return key_for(party->peer_secret, claim);
    }
    const auto awaited =
        party->guests == nullptr ? std::nullopt : party->guests->children().incarnation(claim.rank);
    if (!awaited || *awaited != claim.incarnation) {
      return Error(Cause::kAuthentication, to_string(claim) + " is not awaited").with_rank(claim.rank);
    }
    return key_for(party->secret, claim);
  }

  void on_connection(std::shared_ptr<Connection> connection) {
    const PeerClaim claim = connection->peer();
    const Party* party = party_of(claim.allocation);
    if (party == nullptr) return;  // dismissed meanwhile; dropped, the connection is cut
    if (claim.role == Role::kPeer) {
      const auto address = ChannelAddr::parse(claim.process);
      const auto number = next_peer++;
      const auto link = system.router().add_link(
          std::move(connection), {.name = claim.process,
                                  .on_side_message = nullptr,
                                  .on_close = [weak = weak_from_this(), number](const CloseReason&) {
                                    if (const auto self = weak.lock()) self->peers.erase(number);
                                  }});
      if (address) system.router().bind_dialler(*address, link);
      peers[number] = {claim.allocation, link};
      return;
    }
    if (party->guests == nullptr) return;
    auto visitor = std::make_shared<Visitor>();
    visitor->gate = weak_from_this();
    visitor->allocation = claim.allocation;
    visitor->child = claim.rank;
    visitor->incarnation = claim.incarnation;
    const std::string name = "rank " + std::to_string(claim.rank) + " at " + connection->description();
    // The link lives as long as its connection; it holds the visitor, and the visitor it, until on_close.
    visitor->link = system.router().add_link(
        std::move(connection),
        {.name = name,
         .on_side_message = [visitor](ByteView bytes) { Impl::on_message(visitor, bytes); },
         .on_close = [visitor](const CloseReason& reason) { Impl::on_close(visitor, reason); }});
    visitors.insert(visitor);
  }

  static void on_message(const std::shared_ptr<Visitor>& visitor, ByteView bytes) {
    const auto self = visitor->gate.lock();
    Guests* guests = self ? self->guests_of(visitor->allocation) : nullptr;
    if (guests == nullptr || visitor->standing == Visitor::Standing::kRefused) return;
    const auto violated = [&](std::string_view how) {
      guests->children().violated(visitor->child, visitor->incarnation, how);
    };
    if (visitor->standing == Visitor::Standing::kNew && type_of(bytes) != MessageType::kHello) {
      violated("its first message was not Hello");
      return;
    }
    switch (type_of(bytes)) {
      case MessageType::kHello: {
        const auto hello = unpack<Hello>(bytes);
        if (!hello) return violated("a Hello that cannot be read: " + hello.error().text());
        if (visitor->standing == Visitor::Standing::kAccepted) return violated("it said Hello twice");
        if (hello->version != kProtocolVersion) {
          return violated("it speaks version " + std::to_string(hello->version) +
                          " of the protocol, its owner " + std::to_string(kProtocolVersion));
        }
        visitor->standing = Visitor::Standing::kAccepted;
        visitor->hello = *hello;
        if (!guests->children().hello(visitor->child, visitor->incarnation, visitor)) {
          visitor->standing = Visitor::Standing::kRefused;
          visitor->link->close("another connection said Hello first", kFarewell);
        }
        return;
      }
      case MessageType::kStartedProc: {
        const auto started = unpack<StartedProc>(bytes);
        if (!started) return violated("a StartedProc that cannot be read: " + started.error().text());
        if (started->proc_id != visitor->assigned.proc_id) {
          return violated("it started " + started->proc_id.text() + " and not " +
                          visitor->assigned.proc_id.text());
        }
        if (guests->children().incarnation(visitor->child) == visitor->incarnation &&
            guests->children().phase(visitor->child) == ChildPhase::kConnected) {
          Router& router = self->system.router();
          router.bind(started->proc_id, visitor->link);
          if (!started->addr.text().empty()) router.bind_address(started->addr, visitor->link);
          guests->started(visitor->child, *started, visitor->link);
        }
        guests->children().started(visitor->child, visitor->incarnation);
        return;
      }
      case MessageType::kHeartbeat:
        guests->children().heard(visitor->child, visitor->incarnation);
        return;
      default:
        violated("a message of an unknown type");
        return;
    }
  }

  static void on_close(const std::shared_ptr<Visitor>& visitor, const CloseReason& reason) {
    const auto self = visitor->gate.lock();
    if (!self) return;
    self->visitors.erase(visitor);
    visitor->link.reset();
    Guests* guests = self->guests_of(visitor->allocation);
    if (guests == nullptr || visitor->standing != Visitor::Standing::kAccepted) return;
    guests->children().disconnected(visitor->child, visitor->incarnation, reason.text);
  }

  Reactor& reactor;
  const Config& config;
  ActorSystem& system;
  TcpNames names;
  std::map<std::string, Party> parties;
  std::map<Transport, std::unique_ptr<Listener>> listeners;
  std::set<std::shared_ptr<Visitor>> visitors;
  struct Peer {
    std::string allocation;
    std::shared_ptr<Link> link;
  };
  std::map<std::uint64_t, Peer> peers;
  std::uint64_t next_peer = 0;
  std::map<std::uint64_t, std::unique_ptr<Dial>> arrivals;  // in their handshake, over streams of their own
  std::uint64_t next_arrival = 0;
  Refusals refusals;          // at listeners
  std::uint64_t refused = 0;  // of those
  std::string last_refusal;
};

Gate::Gate(Reactor& reactor, const Config& config, ActorSystem& system)
    : impl_(std::make_shared<Impl>(reactor, config, system)) {}

Gate::~Gate() {
  // Handlers that still come find no gate; links break their circle with the visitor here.
  for (const auto& visitor : std::exchange(impl_->visitors, {})) {
    if (const auto link = std::exchange(visitor->link, nullptr))
      link->close("its owner is going away", Duration::zero());
  }
  impl_->arrivals.clear();
  impl_->peers.clear();
  impl_->listeners.clear();
}

void Gate::prepare(Transport transport, Deadline deadline, std::function<void(Result<>)> done) {
  if (transport != Transport::kTcp || impl_->listeners[transport]) return done({});
  impl_->names.resolve(deadline, std::move(done));
}

Result<ChannelAddr> Gate::address(Transport transport) {
  auto& listener = impl_->listeners[transport];
  if (!listener) {
    const std::weak_ptr<Impl> weak = impl_;
    const bool tcp = transport == Transport::kTcp;
    const auto bind = tcp ? impl_->names.bind() : Result<ChannelAddr>(ChannelAddr::any(transport));
    if (!bind) return bind.error().with_phase("listen");
    auto advertise = tcp ? impl_->names.advertise() : Result<std::string>(std::string());
    if (!advertise) return advertise.error().with_phase("listen");
    const auto ports = tcp ? impl_->names.ports() : Result<TcpNames::Ports>(TcpNames::Ports());
    if (!ports) return ports.error().with_phase("listen");
    const auto listen = [&](const ChannelAddr& where) {
      return Listener::listen(impl_->reactor, where,
                              {.identity = kOwnerIdentity,
                               .key_of = [weak](const PeerClaim& claim) -> Result<Secret> {
                                 const auto self = weak.lock();
                                 if (!self) return Error(Cause::kAuthentication, "nobody is let in any more");
                                 return self->key_of(claim);
                               },
                               .advertise = *advertise,
                               .on_refused =
                                   [weak](const Error& why, const std::string& who) {
                                     if (const auto self = weak.lock()) self->tell_refusal(why, who);
                                   }},
                              impl_->config, [weak](std::shared_ptr<Connection> connection) {
                                if (const auto self = weak.lock()) self->on_connection(std::move(connection));
                              });
    };
    auto made = ports->first == 0 ? listen(*bind) : listen_at_one_of(*bind, *ports, listen);
    if (!made) return made.error().with_phase("listen");
    listener = *std::move(made);
  }
  return listener->addr();
}

void Gate::admit(const std::string& allocation, const Secret& secret, Guests& guests) {
  Party& party = impl_->parties[allocation];
  party.secret = secret;
  party.guests = &guests;
}

void Gate::serve(UniqueFd socket, const std::string& allocation, Rank rank) {
  impl_->serve(std::move(socket), allocation, rank);
}

void Gate::dismiss(const std::string& allocation) {
  impl_->parties.erase(allocation);
  for (const auto& visitor : impl_->visitors) {
    if (visitor->allocation == allocation && visitor->link)
      visitor->link->close("the allocation has ended", kFarewell);
  }
  for (const auto& [number, peer] : impl_->peers) {
    if (peer.allocation == allocation) peer.link->close("the allocation has ended", kFarewell);
  }
}

void Gate::admit_peers(const std::string& allocation, const Secret& peer_secret) {
  impl_->parties[allocation].peer_secret = peer_secret;
}

std::uint64_t Gate::refused() const {
  std::uint64_t total = impl_->refused;
  for (const auto& [transport, listener] : impl_->listeners) total += listener ? listener->refused() : 0;
  return total;
}

std::string Gate::last_refusal() const {
  for (const auto& [transport, listener] : impl_->listeners) {
    if (listener && !listener->last_refusal().empty()) return listener->last_refusal();
  }
  return impl_->last_refusal;
}

}  // namespace hostmesh::bootstrap
