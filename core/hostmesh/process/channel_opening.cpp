#include "hostmesh/process/detail/channel_opening.hpp"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"

namespace hostmesh::detail {

using boost::asio::posix::stream_descriptor;

ChannelOpening::ChannelOpening(Reactor& reactor, UniqueFd socket, Bytes payload, std::string marker,
                               Events events)
    : socket_(io_context_of(reactor)),
      unwatched_(std::move(socket)),
      payload_(std::move(payload)),
      scan_(std::move(marker)),
      events_(std::move(events)) {}

Result<> ChannelOpening::begin() {
  boost::system::error_code failure;
  socket_.assign(unwatched_.get(), failure);
  if (failure) return os_error(Cause::kResourceLimit, "watching a command's stdout", failure.value());
  static_cast<void>(unwatched_.release());
  socket_.async_wait(stream_descriptor::wait_write,
                     [weak = weak_from_this()](const boost::system::error_code& aborted) {
                       const auto self = weak.lock();
                       if (self && !aborted) self->write();
                     });
  if (!scan_.found()) await_readable();
  return {};
}

void ChannelOpening::close() {
  events_ = {};
  boost::system::error_code ignored;
  socket_.close(ignored);
}

void ChannelOpening::await_readable() {
  socket_.async_wait(stream_descriptor::wait_read,
                     [weak = weak_from_this()](const boost::system::error_code& aborted) {
                       const auto self = weak.lock();
                       if (self && !aborted) self->read();
                     });
}

// Looks first, and takes no more than what belongs here: the rest is the connection's.
void ChannelOpening::read() {
  const auto self = shared_from_this();
  std::array<std::uint8_t, 16 * 1024> piece;
  while (socket_.is_open() && !scan_.found()) {
    const ssize_t count = ::recv(socket_.native_handle(), piece.data(), piece.size(), MSG_PEEK);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return await_readable();
    if (count <= 0) return;  // its end follows
    const ByteView seen(piece.data(), static_cast<std::size_t>(count));
    const std::size_t taken = scan_.feed(seen).value_or(seen.size());
    static_cast<void>(::recv(socket_.native_handle(), piece.data(), taken, 0));
    if (!scan_.found() && events_.on_greeting) events_.on_greeting(seen);
    if (!scan_.is_hopeless()) continue;
    const auto hopeless = std::exchange(events_, {}).on_hopeless;
    if (hopeless) hopeless();
    return;
  }
  open_if_ready();
}

void ChannelOpening::write() {
  while (socket_.is_open() && written_ < payload_.size()) {
    const ssize_t count =
        ::send(socket_.native_handle(), payload_.data() + written_, payload_.size() - written_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) {
      return socket_.async_wait(stream_descriptor::wait_write,
                                [weak = weak_from_this()](const boost::system::error_code& aborted) {
                                  const auto self = weak.lock();
                                  if (self && !aborted) self->write();
                                });
    }
    if (count < 0) return;  // nobody reads any more; its end follows
    written_ += static_cast<std::size_t>(count);
  }
  open_if_ready();
}

void ChannelOpening::open_if_ready() {
  if (!socket_.is_open() || !scan_.found() || written_ < payload_.size()) return;
  const auto open = std::exchange(events_, {}).on_open;
  UniqueFd socket(socket_.release());
  if (open) open(std::move(socket));
}

}  // namespace hostmesh::detail
