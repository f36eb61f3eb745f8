#include "hostmesh/channel/connection.hpp"

#include <utility>

#include "hostmesh/channel/detail/connection_impl.hpp"

namespace hostmesh {

Connection::Connection(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Connection::~Connection() {
  impl_->drop();
}

void Connection::start(Events events) {
  impl_->start(std::move(events));
}
SendResult Connection::send(SendClass send_class, Bytes message) {
  return impl_->send(send_class, std::move(message));
}
std::size_t Connection::max_message_bytes() const {
  return impl_->max_send_bytes();
}
std::size_t Connection::queued_bytes(SendClass send_class) const {
  return impl_->writer().queued_bytes(send_class);
}
void Connection::pause_reading() {
  impl_->pause_reading();
}
void Connection::resume_reading() {
  impl_->resume_reading();
}
void Connection::close(std::string text, Duration flush_within) {
  impl_->close(std::move(text), flush_within);
}
void Connection::abort(Cause cause, std::string text) {
  impl_->finish(CloseReason{.cause = cause, .text = std::move(text)});
}
void Connection::flush(std::function<void()> done) {
  impl_->flush(std::move(done));
}
const PeerClaim& Connection::peer() const {
  return impl_->peer();
}
const std::string& Connection::server_identity() const {
  return impl_->server_identity();
}
std::optional<PeerCredentials> Connection::credentials() const {
  return impl_->credentials();
}
TimePoint Connection::last_received() const {
  return impl_->last_received();
}
void Connection::ping() {
  impl_->ping();
}
const std::string& Connection::description() const {
  return impl_->description();
}
bool Connection::is_open() const {
  return impl_->is_open();
}

}  // namespace hostmesh
