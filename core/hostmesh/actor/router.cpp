#include "hostmesh/actor/router.hpp"

#include "hostmesh/actor/detail/proc_core.hpp"
#include "hostmesh/actor/detail/router_impl.hpp"
#include "hostmesh/base/log.hpp"

namespace hostmesh {

namespace {

constexpr std::size_t kMaxCalls = 1 << 20;     // outstanding, ours and those that pass
constexpr std::size_t kDialBytes = 64 << 20;   // waiting for one address
constexpr std::size_t kDialParcels = 1 << 16;  //
constexpr std::size_t kParsedDests = 4096;

// What a kError says; one that says nothing intelligible is an error too.
Error error_in(ByteView payload) {
  auto info = wire::decode<ErrorInfo>(payload);
  return info ? Error(*std::move(info)) : info.error();
}

template <class Map, class Pred>
void erase_where(Map& map, Pred pred) {
  for (auto at = map.begin(); at != map.end();) at = pred(*at) ? map.erase(at) : std::next(at);
}

}  // namespace

Router::Impl::Impl(detail::SystemCore& in) : core(in), timer_(std::make_unique<Timer>(in.reactor)) {}

// Local origin
// ------------------------------------------------------------------------------------------------------

void Router::Impl::post(Envelope envelope, SendClass send_class) {
  if (const auto proc = core.find_proc(envelope.dest.actor.proc)) {
    if (envelope.kind == EnvelopeKind::kSend) {
      proc->deliver(std::move(envelope.dest), std::move(envelope.sender), std::move(envelope.payload), {});
    }
    return;
  }
  envelope.ttl = core.ttl;
  detail::Parcel parcel{.kind = envelope.kind,
                        .frame = encode_envelope(envelope),
                        .dest = std::move(envelope.dest),
                        .sender = std::move(envelope.sender),
                        .send_class = send_class};
  route(std::move(parcel), nullptr);
}

void Router::Impl::call(detail::Call call) {
  if (pending_.size() >= kMaxCalls) {
    core.defer([done = std::move(call.done)] {
      done(Error(Cause::kResourceLimit, std::to_string(kMaxCalls) + " calls are outstanding"));
    });
    return;
  }
  const std::uint64_t id = next_call_++;
  Pending& pending = pending_[id];
  pending.done = std::move(call.done);
  pending.dest = call.dest;
  pending.deadline = call.deadline;
  pending.began = Clock::now();
  core.calls_outstanding = pending_.size();
  if (!call.deadline.is_never()) {
    const auto at = deadlines_.emplace(call.deadline.when(), id).first;
    if (at == deadlines_.begin()) arm_timer();
  }
  if (const auto proc = core.find_proc(call.dest.actor.proc)) {
    auto answer_here = token(call.dest.actor, detail::CallOrigin{.link = {}, .from_link = false, .call = id});
    proc->deliver(std::move(call.dest), std::move(call.sender), std::move(call.payload),
                  std::move(answer_here));
    return;
  }
  detail::Parcel parcel{.kind = EnvelopeKind::kCall,
                        .frame = encode_envelope(Envelope{.kind = EnvelopeKind::kCall,
                                                          .dest = call.dest,
                                                          .sender = std::move(call.sender),
                                                          .call = id,
                                                          .ttl = core.ttl,
                                                          .payload = std::move(call.payload)}),
                        .dest = std::move(call.dest),
                        .sender = {},
                        .call = id,
                        .send_class = call.send_class};
  route(std::move(parcel), nullptr);
}

detail::ReplyToken Router::Impl::token(const ActorId& actor, detail::CallOrigin origin) {
  return detail::ReplyToken(std::make_unique<detail::ReplyToken::State>(detail::ReplyToken::State{
      .system = core.weak_from_this(), .origin = std::move(origin), .cell = {}, .actor = actor}));
}

void Router::Impl::answer(const detail::CallOrigin& origin, EnvelopeKind kind, Bytes payload) {
  if (origin.from_link) {
    const auto link = origin.link.lock();
    if (!link || !link->is_open()) {
      ++core.late_replies;
      return;
    }
    const Envelope envelope{.kind = kind,
                            .dest = {},
                            .sender = {},
                            .call = origin.call,
                            .ttl = core.ttl,
                            .payload = std::move(payload)};
    // Answers are control: the caller may be waiting, and one that is too large still has to be answered.
    const Result<> sent = link->send_frame(encode_envelope(envelope), SendClass::kControl);
    if (!sent && sent.error().cause() == Cause::kResourceLimit && kind == EnvelopeKind::kReply) {
      answer(origin, EnvelopeKind::kError, wire::encode(sent.error()));
    }
    return;
  }
  const auto found = pending_.find(origin.call);
  if (found == pending_.end()) {
    ++core.late_replies;
    return;
  }
  Result<Bytes> result;
  if (kind == EnvelopeKind::kReply) {
    result = std::move(payload);
  } else {
    result = error_in(payload);
  }
  // Later: this may be the middle of an actor's turn.
  core.defer([done = take(found).done, result = std::move(result)]() mutable { done(std::move(result)); });
}

// Ways out
// ----------------------------------------------------------------------------------------------------------

void Router::Impl::route(detail::Parcel parcel, const LinkPtr& from) {
  const ProcId& proc = parcel.dest.actor.proc;
  const auto exact = by_proc.find(proc);
  if (exact != by_proc.end()) return transmit(exact->second, std::move(parcel), from);
  if (proc.is_direct()) {
    const auto at = by_addr.find(proc.addr());
    if (at != by_addr.end()) return transmit(at->second, std::move(parcel), from);
    if (own.contains(proc.addr())) {
      return fail(parcel, Error(Cause::kUnroutable, "there is no proc " + proc.text() + " at this address"));
    }
    const ChannelAddr addr = proc.addr();
    const auto link = dialled.find(addr);
    if (link != dialled.end()) return transmit(link->second, std::move(parcel), from);
    // Not while it is being dialled: what waits for that was sent before.
    const auto theirs = diallers.find(addr);
    if (theirs != diallers.end() && !dialling_.contains(addr))
      return transmit(theirs->second, std::move(parcel), from);
    if (dialer) return dial(addr, std::move(parcel));
  }
  if (way_out) return transmit(way_out, std::move(parcel), from);
  fail(parcel, Error(Cause::kUnroutable, "no way is known to " + proc.text()));
}

void Router::Impl::transmit(const LinkPtr& link, detail::Parcel parcel, const LinkPtr& from) {
  if (link == from) {
    return fail(parcel,
                Error(Cause::kUnroutable, "no way is known to " + parcel.dest.actor.proc.text() +
                                              " but back to " + link->name() + ", where it came from"));
  }
  const Result<> sent = link->send_frame(std::move(parcel.frame), parcel.send_class);
  if (!sent) return fail(parcel, sent.error());
  if (parcel.kind != EnvelopeKind::kCall) return;
  const auto found = pending_.find(parcel.call);
  if (found == pending_.end()) return;  // it timed out while the address was being dialled
  found->second.out = link;
  link->outstanding.insert(parcel.call);
}

void Router::Impl::dial(const ChannelAddr& addr, detail::Parcel parcel) {
  const auto [at, is_new] = dialling_.try_emplace(addr);
  Dialling& dialling = at->second;
  if (dialling.waiting.size() >= kDialParcels || dialling.bytes + parcel.frame.size() > kDialBytes) {
    return fail(parcel, Error(Cause::kResourceLimit, std::to_string(dialling.waiting.size()) +
                                                         " messages already wait for " + addr.text()));
  }
  dialling.bytes += parcel.frame.size();
  dialling.waiting.push_back(std::move(parcel));
  if (!is_new) return;
  const auto dial_now = dialer;
  dial_now(addr, [weak = core.weak_from_this(), addr](Result<std::shared_ptr<Link>> result) {
    if (const auto alive = weak.lock()) alive->router.impl().on_dialled(addr, std::move(result));
  });
}

void Router::Impl::on_dialled(const ChannelAddr& addr, Result<std::shared_ptr<Link>> result) {
  const auto found = dialling_.find(addr);
  if (found == dialling_.end()) return;
  auto waiting = std::move(found->second.waiting);
  dialling_.erase(found);
  if (!result) {
    const auto theirs = diallers.find(addr);  // perhaps only they can dial
    for (auto& parcel : waiting) {
      if (theirs == diallers.end()) {
        fail(parcel, result.error());
      } else {
        transmit(theirs->second, std::move(parcel), nullptr);
      }
    }
    return;
  }
  auto link = std::dynamic_pointer_cast<detail::LinkImpl>(*result);
  HOSTMESH_ASSERT(link, "a dialer gave a link that is not from Router::add_link()");
  if (link->is_open()) dialled[addr] = link;
  for (auto& parcel : waiting) transmit(link, std::move(parcel), nullptr);
}

void Router::Impl::fail(const detail::Parcel& parcel, const Error& why) {
  if (parcel.kind == EnvelopeKind::kCall) {
    ErrorInfo info = why.info();
    info.message = "call to " + parcel.dest.actor.text() + ": " + info.message;
    complete(parcel.call, Error(std::move(info)), When::kLater);
  } else if (parcel.kind == EnvelopeKind::kSend) {
    core.report_undeliverable(parcel.sender, parcel.dest, why);
  } else {
    ++core.undeliverable;
  }
}

// From links
// --------------------------------------------------------------------------------------------------------

Result<> Router::Impl::on_envelope(const LinkPtr& from, ByteView frame, SendClass send_class) {
  const auto view = view_envelope(frame);
  if (!view) return view.error();
  switch (view->kind) {
    case EnvelopeKind::kReply:
    case EnvelopeKind::kError:
      on_reply(from, *view, frame);
      return {};
    case EnvelopeKind::kCancel:
      on_cancel(from, view->call);
      return {};
    case EnvelopeKind::kSend:
    case EnvelopeKind::kCall:
    case EnvelopeKind::kUndeliverable:
      return pass(from, *view, frame, send_class);
  }
  return {};
}

std::optional<PortId> Router::Impl::parse_dest(std::string_view text) {
  std::string key(text);
  const auto known = dests_.find(key);
  if (known != dests_.end()) return known->second;
  auto dest = PortId::parse(text);
  if (!dest) return std::nullopt;
  if (dests_.size() >= kParsedDests) dests_.clear();
  dests_.emplace(std::move(key), *dest);
  return *std::move(dest);
}

Result<> Router::Impl::pass(const LinkPtr& from, const EnvelopeView& view, ByteView frame,
                            SendClass send_class) {
  auto dest = parse_dest(view.dest);
  if (!dest) return Error(Cause::kProtocol, "an envelope is addressed to '" + std::string(view.dest) + "'");
  ActorId sender;
  if (!view.sender.empty()) {
    auto parsed = ActorId::parse(view.sender);
    if (!parsed) return Error(Cause::kProtocol, "an envelope is from '" + std::string(view.sender) + "'");
    sender = *std::move(parsed);
  }
  if (const auto proc = core.find_proc(dest->actor.proc)) {
    deliver_here(*proc, *dest, std::move(sender), view, from);
    return {};
  }
  ++core.forwarded;
  detail::Parcel parcel{.kind = view.kind,
                        .frame = {},
                        .dest = *std::move(dest),
                        .sender = std::move(sender),
                        .send_class = send_class};
  if (view.kind == EnvelopeKind::kCall) {
    if (pending_.size() >= kMaxCalls) {
      answer(
          {from, true, view.call}, EnvelopeKind::kError,
          wire::encode(Error(Cause::kResourceLimit, std::to_string(kMaxCalls) + " calls are outstanding")));
      return {};
    }
    parcel.call = next_call_++;
    Pending& pending = pending_[parcel.call];
    pending.origin = detail::CallOrigin{from, true, view.call};
    pending.dest = parcel.dest;
    pending.began = Clock::now();
    from->passed_on[view.call] = parcel.call;
    core.calls_outstanding = pending_.size();
  }
  if (view.ttl <= 1) {
    fail(parcel,
         Error(Cause::kUnroutable, "it went from link to link in search of " + parcel.dest.actor.proc.text() +
                                       " until its hops were used up: the routes form a circle"));
    return {};
  }
  parcel.frame = forwarded_envelope(frame, static_cast<std::uint8_t>(view.ttl - 1), parcel.call);
  route(std::move(parcel), from);
  return {};
}

void Router::Impl::deliver_here(detail::ProcCore& proc, const PortId& dest, ActorId sender,
                                const EnvelopeView& view, const LinkPtr& from) {
  if (view.kind == EnvelopeKind::kUndeliverable) {
    const auto message = wire::decode<Undeliverable>(view.payload);
    if (message) proc.deliver_undeliverable(dest.actor, message->dest, Error(message->why));
    return;
  }
  detail::ReplyToken reply;
  if (view.kind == EnvelopeKind::kCall) reply = token(dest.actor, detail::CallOrigin{from, true, view.call});
  proc.deliver(dest, std::move(sender), Bytes(view.payload.begin(), view.payload.end()), std::move(reply));
}

void Router::Impl::on_reply(const LinkPtr& from, const EnvelopeView& view, ByteView frame) {
  const auto found = pending_.find(view.call);
  if (found == pending_.end() || found->second.out != from) {
    ++core.late_replies;
    return;
  }
  const Pending pending = take(found);
  if (pending.origin.from_link) {
    const auto back = pending.origin.link.lock();
    if (!back || !back->is_open()) {
      ++core.late_replies;
      return;
    }
    const Result<> sent =
        back->send_frame(forwarded_envelope(frame, view.ttl, pending.origin.call), SendClass::kControl);
    if (!sent && sent.error().cause() == Cause::kResourceLimit) {
      answer(pending.origin, EnvelopeKind::kError, wire::encode(sent.error()));
    }
    return;
  }
  if (view.kind == EnvelopeKind::kReply) return pending.done(Bytes(view.payload.begin(), view.payload.end()));
  pending.done(error_in(view.payload));
}

void Router::Impl::on_cancel(const LinkPtr& from, std::uint64_t call) {
  const auto ours = from->passed_on.find(call);
  if (ours == from->passed_on.end()) return;
  const std::uint64_t id = ours->second;
  const auto found = pending_.find(id);
  if (found != pending_.end()) cancel_beyond(id, take(found));
}

void Router::Impl::cancel_beyond(std::uint64_t call, const Pending& pending) {
  if (!pending.out || !pending.out->is_open()) return;
  const Envelope cancel{
      .kind = EnvelopeKind::kCancel, .dest = {}, .sender = {}, .call = call, .ttl = core.ttl, .payload = {}};
  (void)pending.out->send_frame(encode_envelope(cancel), SendClass::kControl);
}

void Router::Impl::on_link_closed(const LinkPtr& link) {
  links.erase(link);
  erase_where(dialled, [&](const auto& entry) { return entry.second == link; });
  erase_where(diallers, [&](const auto& entry) { return entry.second == link; });
  for (const auto& [theirs, ours] : std::exchange(link->passed_on, {})) {
    const auto found = pending_.find(ours);
    if (found != pending_.end()) cancel_beyond(ours, take(found));
  }
  for (const std::uint64_t call : std::exchange(link->outstanding, {})) {
    const auto found = pending_.find(call);
    if (found == pending_.end()) continue;
    ErrorInfo info = link->gone_error().info();
    info.message = "call to " + found->second.dest.actor.text() + ": " + info.message;
    complete(call, Error(std::move(info)), When::kNow);
  }
}

// Calls
// -------------------------------------------------------------------------------------------------------------

Router::Impl::Pending Router::Impl::take(PendingMap::iterator found) {
  const std::uint64_t call = found->first;
  Pending pending = std::move(found->second);
  pending_.erase(found);
  core.calls_outstanding = pending_.size();
  if (pending.out) pending.out->outstanding.erase(call);
  if (!pending.deadline.is_never()) deadlines_.erase({pending.deadline.when(), call});
  if (pending.origin.from_link) {
    if (const auto from = pending.origin.link.lock()) from->passed_on.erase(pending.origin.call);
  }
  return pending;
}

void Router::Impl::complete(std::uint64_t call, const Error& why, When when) {
  const auto found = pending_.find(call);
  if (found == pending_.end()) return;
  Pending pending = take(found);
  if (pending.origin.from_link) return answer(pending.origin, EnvelopeKind::kError, wire::encode(why));
  if (when == When::kNow) return pending.done(why);
  core.defer([done = std::move(pending.done), why] { done(why); });
}

void Router::Impl::arm_timer() {
  if (deadlines_.empty()) return timer_->cancel();
  timer_->at(Deadline(deadlines_.begin()->first), [this] { on_timer(); });
}

void Router::Impl::on_timer() {
  const TimePoint now = Clock::now();
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const std::uint64_t call = deadlines_.begin()->second;
    const auto found = pending_.find(call);
    const Pending& pending = found->second;
    cancel_beyond(call, pending);
    const Error late(
        Cause::kTimeout,
        "call to " + pending.dest.actor.text() + ": no answer in " +
            to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now - pending.began)) +
            (pending.out ? ", through " + pending.out->name() : ""));
    complete(call, late, When::kNow);
  }
  arm_timer();
}

void Router::Impl::shut_down(const Error& why) {
  timer_.reset();
  deadlines_.clear();
  auto pending = std::exchange(pending_, {});
  for (auto& [call, each] : pending) {
    if (each.done) each.done(why);
  }
  pending.clear();
  dialer = nullptr;
  dialling_.clear();
  dialled.clear();
  diallers.clear();
  by_proc.clear();
  by_addr.clear();
  way_out = nullptr;
  for (const auto& link : links) {
    link->outstanding.clear();
    link->passed_on.clear();
  }
  links.clear();
}

// The public face
// -----------------------------------------------------------------------------------------------------

Router::Router(detail::SystemCore& core) : impl_(std::make_unique<Impl>(core)) {}
Router::~Router() = default;

namespace {

std::shared_ptr<detail::LinkImpl> own_link(const std::shared_ptr<Link>& link) {
  auto own = std::dynamic_pointer_cast<detail::LinkImpl>(link);
  HOSTMESH_ASSERT(own || !link, "a link that is not from Router::add_link()");
  return own;
}

}  // namespace

std::shared_ptr<Link> Router::add_link(std::shared_ptr<Connection> connection, LinkOptions options) {
  auto link = std::make_shared<detail::LinkImpl>(impl_->core.weak_from_this(), std::move(connection),
                                                 std::move(options));
  impl_->links.insert(link);
  link->start();
  return link;
}

void Router::bind(const ProcId& proc, std::shared_ptr<Link> link) {
  impl_->by_proc[proc] = own_link(link);
}
void Router::unbind(const ProcId& proc) {
  impl_->by_proc.erase(proc);
}
void Router::bind_address(const ChannelAddr& addr, std::shared_ptr<Link> link) {
  impl_->by_addr[addr] = own_link(link);
}
void Router::bind_dialler(const ChannelAddr& addr, const std::shared_ptr<Link>& link) {
  if (link->is_open()) impl_->diallers[addr] = own_link(link);
}
void Router::unbind_address(const ChannelAddr& addr) {
  impl_->by_addr.erase(addr);
}
void Router::add_own_address(const ChannelAddr& addr) {
  impl_->own.insert(addr);
}
void Router::set_default(std::shared_ptr<Link> link) {
  impl_->way_out = own_link(link);
}
void Router::set_dialer(Dialer dialer) {
  impl_->dialer = std::move(dialer);
}

void Router::unbind_link(const Link& link) {
  const auto leads_there = [&](const auto& entry) { return entry.second.get() == &link; };
  erase_where(impl_->by_proc, leads_there);
  erase_where(impl_->by_addr, leads_there);
  erase_where(impl_->dialled, leads_there);
  erase_where(impl_->diallers, leads_there);
  if (impl_->way_out.get() == &link) impl_->way_out = nullptr;
}

void Router::post(Envelope envelope, SendClass send_class) {
  impl_->post(std::move(envelope), send_class);
}

void Router::call(PortId dest, ActorId sender, Bytes payload, SendClass send_class, Deadline deadline,
                  std::function<void(Result<Bytes>)> done) {
  impl_->call(detail::Call{std::move(dest), std::move(sender), std::move(payload), send_class, deadline,
                           std::move(done)});
}

RouterCounters Router::counters() const {
  const detail::SystemCore& core = impl_->core;
  return RouterCounters{core.late_replies, core.late_port_messages, core.undeliverable,
                        core.undecodable,  core.forwarded,          core.calls_outstanding};
}

}  // namespace hostmesh
