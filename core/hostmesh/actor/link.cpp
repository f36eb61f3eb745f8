#include "hostmesh/actor/link.hpp"

#include "hostmesh/actor/detail/router_impl.hpp"
#include "hostmesh/base/log.hpp"

namespace hostmesh::detail {

namespace {
constexpr std::size_t kBacklogLimit = 64 << 20;  // bytes
}

LinkImpl::LinkImpl(std::weak_ptr<SystemCore> system, std::shared_ptr<Connection> connection,
                   LinkOptions options)
    : system_(std::move(system)), connection_(std::move(connection)), options_(std::move(options)) {
  if (options_.name.empty()) options_.name = connection_->description();
}

void LinkImpl::start() {
  const auto weak = weak_from_this();
  connection_->start(Connection::Events{
      .on_message =
          [weak](ByteView message, SendClass send_class) {
            if (const auto self = weak.lock()) self->on_message(message, send_class);
          },
      .on_close =
          [weak](const CloseReason& reason) {
            if (const auto self = weak.lock()) self->on_close(reason);
          },
      .on_drained =
          [weak] {
            if (const auto self = weak.lock()) self->on_drained();
          },
  });
}

SendResult LinkImpl::send_side(Bytes frame, SendClass send_class) {
  if (!open_) return SendResult::kClosed;
  frame.insert(frame.begin(), static_cast<std::uint8_t>(LinkFrame::kSide));
  return connection_->send(send_class, std::move(frame));
}

void LinkImpl::close(std::string text, Duration flush_within) {
  if (open_) connection_->close(std::move(text), flush_within);
}

void LinkImpl::abort(Cause cause, std::string text) {
  if (open_) connection_->abort(cause, std::move(text));
}

Error LinkImpl::gone_error() const {
  ErrorInfo info{
      .cause = Cause::kPeerGone, .message = options_.name + " is gone", .os_error = reason_.os_error};
  if (!reason_.text.empty()) info.message += ": " + reason_.text;
  return Error(std::move(info));
}

Result<> LinkImpl::send_frame(Bytes frame, SendClass send_class) {
  if (!open_) return gone_error();
  const std::size_t size = frame.size();
  if (size > connection_->max_message_bytes()) {
    return Error(Cause::kResourceLimit, "a message of " + std::to_string(size) + " bytes is more than " +
                                            options_.name + " takes, which is " +
                                            std::to_string(connection_->max_message_bytes()));
  }
  if (send_class == SendClass::kBulk) {
    const bool waits = !backlog_.empty() || connection_->send(send_class, frame) == SendResult::kFull;
    if (!waits) return connection_->is_open() ? Result<>() : Result<>(gone_error());
    if (backlog_bytes_ + size > kBacklogLimit) {
      return Error(Cause::kResourceLimit,
                   std::to_string(backlog_bytes_) + " bytes already wait for " + options_.name);
    }
    backlog_bytes_ += size;
    backlog_.push_back(std::move(frame));
    return {};
  }
  if (connection_->send(send_class, std::move(frame)) == SendResult::kQueued) return {};
  return gone_error();
}

void LinkImpl::on_drained() {
  while (!backlog_.empty() && connection_->send(SendClass::kBulk, backlog_.front()) == SendResult::kQueued) {
    backlog_bytes_ -= backlog_.front().size();
    backlog_.pop_front();
  }
}

void LinkImpl::on_message(ByteView message, SendClass send_class) {
  const auto core = system_.lock();
  if (!core || !open_) return;
  Result<> accepted;
  if (!message.empty() && message[0] == static_cast<std::uint8_t>(LinkFrame::kSide) &&
      options_.on_side_message) {
    const auto listener = options_.on_side_message;
    listener(message.subspan(1));
  } else if (!message.empty() && message[0] == static_cast<std::uint8_t>(LinkFrame::kEnvelope)) {
    accepted = core->router.impl().on_envelope(shared_from_this(), message, send_class);
  } else {
    accepted = Error(Cause::kProtocol, "it sent a message of a kind that is not expected here");
  }
  if (accepted) return;
  log::warning("link closed for a breach of protocol " + log::field("peer", options_.name) + " " +
               log::field("why", accepted.error().text()));
  connection_->abort(Cause::kProtocol, accepted.error().text());
}

void LinkImpl::on_close(const CloseReason& reason) {
  open_ = false;
  reason_ = reason;
  backlog_.clear();
  backlog_bytes_ = 0;
  const auto self = shared_from_this();
  if (const auto core = system_.lock()) core->router.impl().on_link_closed(self);
  const auto listener = std::move(options_.on_close);
  options_.on_close = nullptr;
  options_.on_side_message = nullptr;
  if (listener) listener(reason);
}

}  // namespace hostmesh::detail
