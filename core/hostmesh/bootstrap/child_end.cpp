#include "hostmesh/bootstrap/child_end.hpp"

#include <unistd.h>

#include <utility>

#include "hostmesh/base/log.hpp"

namespace hostmesh::bootstrap {

namespace {

Error failed(std::string_view what, const Error& why) {
  return Error(why.cause(), std::string(what) + ": " + why.text());
}

}  // namespace

std::string node_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

ChildEnd::ChildEnd(Node& node, Payload payload, ChannelAddr owner, ChildHooks hooks, Events events,
                   std::optional<StdioEnds> stdio)
    : node_(node),
      payload_(std::move(payload)),
      owner_(std::move(owner)),
      hooks_(std::move(hooks)),
      events_(std::move(events)),
      stdio_(std::move(stdio)),
      is_carried_(stdio_.has_value()),
      owner_text_(stdio_ ? stdio_->description : owner_.text()) {}

ChildEnd::~ChildEnd() = default;

void ChildEnd::begin() {
  if (!payload_.listen_on) return begin_at(ChannelAddr());
  const auto transport = parse_transport(*payload_.listen_on);
  if (!transport) return begin_at(transport.error());
  node_.gate.prepare(
      *transport, Deadline::after(node_.config.get(attribute::kHelloTimeout)),
      [weak = weak_from_this(), transport = *transport](const Result<>& ready) {
        const auto self = weak.lock();
        if (!self) return;
        self->begin_at(ready ? self->node_.gate.address(transport) : Result<ChannelAddr>(ready.error()));
      });
}

void ChildEnd::begin_at(const Result<ChannelAddr>& address) {
  if (!address) {
    return node_.reactor.post([weak = weak_from_this(), why = failed("cannot listen", address.error())] {
      if (const auto self = weak.lock()) self->events_.failed(why);
    });
  }
  addr_ = *address;
  const PeerClaim claim{.role = Role::kChild,
                        .allocation = payload_.allocation,
                        .rank = payload_.rank,
                        .incarnation = payload_.incarnation,
                        .process = addr_.text()};
  const Hello hello{.pid = ::getpid(), .node = node_name(), .addr = addr_};
  const DialOptions options{.claim = claim,
                            .key = payload_.key,
                            .deadline = Deadline::after(node_.config.get(attribute::kHelloTimeout)),
                            .expected_server_identity = payload_.owner_identity};
  const auto done = [this, hello](Result<std::shared_ptr<Connection>> connection) {
    const auto keep = shared_from_this();
    const auto dialled = std::exchange(dial_, nullptr);
    if (!connection) return events_.failed(failed("cannot reach its owner", connection.error()));
    on_connected(hello, *std::move(connection));
  };
  if (stdio_) {
    dial_ = dial_over(node_.reactor, *std::exchange(stdio_, std::nullopt), options, node_.config, done);
  } else {
    dial_ = dial(node_.reactor, owner_, options, node_.config, done);
  }
}

void ChildEnd::on_connected(const Hello& hello, std::shared_ptr<Connection> connection) {
  const auto weak = weak_from_this();
  link_ = node_.system.router().add_link(std::move(connection), {.name = "its owner at " + owner_text_,
                                                                 .on_side_message =
                                                                     [weak](ByteView bytes) {
                                                                       if (const auto self = weak.lock())
                                                                         self->on_message(bytes);
                                                                     },
                                                                 .on_close =
                                                                     [weak](const CloseReason&) {
                                                                       if (const auto self = weak.lock())
                                                                         self->events_.at_once(1);
                                                                     }});
  tell(hello);
  watch_owner();
  if (events_.connected) events_.connected();
}

void ChildEnd::on_message(ByteView bytes) {
  switch (type_of(bytes)) {
    case MessageType::kStartProc:
      if (const auto start = unpack<StartProc>(bytes)) return start_proc(*start);
      break;
    case MessageType::kHeartbeat:
      heard_owner();
      return tell(Heartbeat{});
    case MessageType::kStopAndExit:
      if (const auto stop = unpack<StopAndExit>(bytes)) return events_.in_order(stop->code);
      break;
    case MessageType::kExit:
      if (const auto stop = unpack<Exit>(bytes)) return events_.at_once(stop->code);
      break;
    default:
      break;
  }
  log::error("its owner sent a message that cannot be read; leaving");
  events_.at_once(1);
}

void ChildEnd::start_proc(const StartProc& start) {
  if (proc_ != nullptr) return;
  // An owner that sends heartbeats says the first one in the same breath.
  silence_.reset();
  Router& router = node_.system.router();
  router.set_default(link_);
  router.bind_address(start.owner_addr, link_);
  if (!start.peer_secret.empty()) {
    node_.gate.admit_peers(payload_.allocation, start.peer_secret);
    dial_peers_with(start.peer_secret);
  }
  proc_ = &node_.system.add_proc(start.proc_id);
  const auto agent = hooks_.on_start(node_, *proc_, start);
  if (!agent) {
    return events_.failed(failed("its proc " + start.proc_id.text() + " cannot be started", agent.error()));
  }
  tell(StartedProc{.proc_id = start.proc_id, .agent = *agent, .addr = addr_});
}

// Between a cable that was cut and the end of a TCP connection can lie hours. An owner has StartProc to say
// first of all; one that sends heartbeats at all sends them for ever.
void ChildEnd::heard_owner() {
  last_heard_ = Clock::now();
  watch_owner();
}

void ChildEnd::watch_owner() {
  if (silence_ || !is_carried_ || node_.config.get(attribute::kOwnerTimeout) <= Duration::zero()) return;
  last_heard_ = Clock::now();
  silence_ = std::make_unique<Timer>(node_.reactor);
  // Heartbeats come three times in their timeout; some of them may be late without meaning anything.
  const Duration limit = std::max(node_.config.get(attribute::kOwnerTimeout),
                                  2 * node_.config.get(attribute::kHeartbeatTimeout));
  wait_for_owner(limit, Deadline::after(limit, last_heard_));
}

void ChildEnd::wait_for_owner(Duration limit, Deadline until) {
  silence_->at(until, [this, limit, until] {
    const TimePoint now = Clock::now();
    // Whoever was stopped himself has something to catch up with.
    const bool overslept = now - until.when() > limit / 4;
    if (overslept) return wait_for_owner(limit, Deadline::after(limit / 2, now));
    const Deadline next = Deadline::after(limit, last_heard_);
    if (!next.passed(now)) return wait_for_owner(limit, next);
    const std::string why = "its owner has been silent for " + to_string(limit) + "; leaving";
    log::error(why);
    // What follows is no news of the procs here: an owner that wakes up is to read why they have ended.
    if (link_) link_->connection()->abort(Cause::kTimeout, why);
    events_.at_once(1);
  });
}

// Other members of the allocation are dialled when first written to.
void ChildEnd::dial_peers_with(const Secret& secret) {
  node_.system.router().set_dialer([this, secret](const ChannelAddr& address,
                                                  std::function<void(Result<std::shared_ptr<Link>>)> done) {
    const PeerClaim claim{.role = Role::kPeer,
                          .allocation = payload_.allocation,
                          .rank = payload_.rank,
                          .incarnation = payload_.incarnation,
                          .process = addr_.text()};
    const std::uint64_t number = next_peer_dial_++;
    peer_dials_[number] =
        dial(node_.reactor, address,
             {.claim = claim,
              .key = key_for(secret, claim),
              .deadline = Deadline::after(node_.config.get(attribute::kMessageDeliveryTimeout))},
             node_.config,
             [this, address, number, done = std::move(done)](Result<std::shared_ptr<Connection>> connection) {
               const auto finished = std::move(peer_dials_.extract(number).mapped());  // it is what called
               if (!connection) return done(connection.error());
               done(node_.system.router().add_link(*std::move(connection), {.name = address.text()}));
             });
  });
}

void ChildEnd::stop(std::function<void()> done) {
  hooks_.on_stop(std::move(done));
}

void ChildEnd::flush(std::function<void()> done) {
  if (!link_) return done();
  const Connection& connection = *link_->connection();
  const bool waits =
      connection.queued_bytes(SendClass::kControl) > 0 || connection.queued_bytes(SendClass::kBulk) > 0;
  if (!waits) return done();
  link_->connection()->flush(std::move(done));
}

}  // namespace hostmesh::bootstrap
