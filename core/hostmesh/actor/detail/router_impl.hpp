// The router's tables, and the links as it sees them. Reactor thread only.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "hostmesh/actor/detail/core.hpp"
#include "hostmesh/actor/router.hpp"

namespace hostmesh::detail {

// An encoded envelope on its way out, and what is needed if it does not get there.
struct Parcel {
  EnvelopeKind kind = EnvelopeKind::kSend;
  Bytes frame;
  PortId dest;
  ActorId sender;          // of a kSend
  std::uint64_t call = 0;  // of a kCall: our number for it
  SendClass send_class = SendClass::kControl;
};

class LinkImpl final : public Link, public std::enable_shared_from_this<LinkImpl> {
 public:
  LinkImpl(std::weak_ptr<SystemCore> system, std::shared_ptr<Connection> connection, LinkOptions options);

  SendResult send_side(Bytes frame, SendClass send_class) override;
  const std::shared_ptr<Connection>& connection() const override { return connection_; }
  const std::string& name() const override { return options_.name; }
  bool is_open() const override { return open_; }
  void close(std::string text, Duration flush_within) override;
  void abort(Cause cause, std::string text) override;

  void start();
  // Bulk that the connection has no room for waits here, up to a limit.
  Result<> send_frame(Bytes frame, SendClass send_class);
  // kPeerGone.
  Error gone_error() const;

  std::unordered_set<std::uint64_t> outstanding;  // calls that went out here and are not answered
  std::unordered_map<std::uint64_t, std::uint64_t>
      passed_on;  // its number for a call -> ours on another link

 private:
  void on_message(ByteView message, SendClass send_class);
  void on_close(const CloseReason& reason);
  void on_drained();

  const std::weak_ptr<SystemCore> system_;
  const std::shared_ptr<Connection> connection_;
  LinkOptions options_;
  bool open_ = true;
  CloseReason reason_;
  std::deque<Bytes> backlog_;
  std::size_t backlog_bytes_ = 0;
};

}  // namespace hostmesh::detail

namespace hostmesh {

struct Router::Impl {
  using LinkPtr = std::shared_ptr<detail::LinkImpl>;

  explicit Impl(detail::SystemCore& core);

  void post(Envelope envelope, SendClass send_class);
  void call(detail::Call call);
  void answer(const detail::CallOrigin& origin, EnvelopeKind kind, Bytes payload);

  // An error is an offence of the peer.
  Result<> on_envelope(const LinkPtr& from, ByteView frame, SendClass send_class);
  void on_link_closed(const LinkPtr& link);
  void shut_down(const Error& why);

  detail::SystemCore& core;
  std::unordered_set<LinkPtr> links;  // all open ones
  std::unordered_map<ProcId, LinkPtr> by_proc;
  std::unordered_map<ChannelAddr, LinkPtr> by_addr;
  std::unordered_set<ChannelAddr> own;
  LinkPtr way_out;
  Dialer dialer;
  std::unordered_map<ChannelAddr, LinkPtr> dialled;
  std::unordered_map<ChannelAddr, LinkPtr> diallers;  // who has dialled us, by where he listens himself

 private:
  struct Pending {
    detail::CallDone done;      // ours
    detail::CallOrigin origin;  // somebody else's
    PortId dest;
    LinkPtr out;  // null: delivered here, or still looking for a way
    Deadline deadline;
    TimePoint began;
  };
  using PendingMap = std::unordered_map<std::uint64_t, Pending>;
  struct Dialling {
    std::deque<detail::Parcel> waiting;
    std::size_t bytes = 0;
  };
  enum class When { kNow, kLater };

  detail::ReplyToken token(const ActorId& actor, detail::CallOrigin origin);
  void route(detail::Parcel parcel, const LinkPtr& from);
  void transmit(const LinkPtr& link, detail::Parcel parcel, const LinkPtr& from);
  void dial(const ChannelAddr& addr, detail::Parcel parcel);
  void on_dialled(const ChannelAddr& addr, Result<std::shared_ptr<Link>> result);
  void fail(const detail::Parcel& parcel, const Error& why);
  Result<> pass(const LinkPtr& from, const EnvelopeView& view, ByteView frame, SendClass send_class);
  void on_reply(const LinkPtr& from, const EnvelopeView& view, ByteView frame);
  void on_cancel(const LinkPtr& from, std::uint64_t call);
  void deliver_here(detail::ProcCore& proc, const PortId& dest, ActorId sender, const EnvelopeView& view,
                    const LinkPtr& from);
  Pending take(PendingMap::iterator found);
  void complete(std::uint64_t call, const Error& why, When when);
  void cancel_beyond(std::uint64_t call, const Pending& pending);
  void arm_timer();
  void on_timer();
  std::optional<PortId> parse_dest(std::string_view text);

  PendingMap pending_;
  std::uint64_t next_call_ = 1;
  std::set<std::pair<TimePoint, std::uint64_t>> deadlines_;
  std::unique_ptr<Timer> timer_;
  std::unordered_map<ChannelAddr, Dialling> dialling_;
  // Destinations repeat; parsing each text once is enough.
  std::unordered_map<std::string, PortId> dests_;
};

}  // namespace hostmesh
