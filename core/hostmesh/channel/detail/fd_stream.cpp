#include "hostmesh/channel/detail/fd_stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/channel/detail/socket.hpp"

namespace hostmesh::detail {

namespace {

class FdStream final : public Stream {
 public:
  FdStream(Reactor& reactor, std::optional<PeerCredentials> credentials, std::string description)
      : state_(std::make_shared<State>(reactor)),
        credentials_(credentials),
        description_(std::move(description)) {}

  Result<> open(UniqueFd&& socket) {
    boost::system::error_code failure;
    state_->descriptor.assign(socket.get(), failure);
    if (failure) return os_error(Cause::kResourceLimit, "watching " + description_, failure.value());
    (void)socket.release();
    return {};
  }

  // The descriptor must be gone now, not when the last handler has run: the peer waits for the end.
  ~FdStream() override {
    state_->events = nullptr;
    boost::system::error_code ignored;
    state_->descriptor.close(ignored);
  }

  void set_events(StreamEvents* events) override { state_->events = events; }

  IoResult read_some(std::span<std::uint8_t> into) override {
    while (true) {
      const ssize_t count = ::recv(state_->descriptor.native_handle(), into.data(), into.size(), 0);
      if (count > 0) return {.bytes = static_cast<std::size_t>(count)};
      if (count == 0) return {.end = true};
      if (errno != EINTR) return {.error = errno};
    }
  }

  IoResult write_some(std::span<const iovec> from) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    while (true) {
      const ssize_t count = ::sendmsg(state_->descriptor.native_handle(), &message, MSG_NOSIGNAL);
      if (count >= 0) return {.bytes = static_cast<std::size_t>(count)};
      if (errno != EINTR) return {.error = errno};
    }
  }

  void await_readable() override {
    await(Descriptor::wait_read, &State::awaiting_read, &StreamEvents::on_readable);
  }
  void await_writable() override {
    await(Descriptor::wait_write, &State::awaiting_write, &StreamEvents::on_writable);
  }

  std::optional<PeerCredentials> credentials() const override { return credentials_; }
  const std::string& description() const override { return description_; }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  struct State {
    explicit State(Reactor& reactor) : descriptor(io_context_of(reactor)) {}
    Descriptor descriptor;
    StreamEvents* events = nullptr;
    bool awaiting_read = false;
    bool awaiting_write = false;
  };

  void await(Descriptor::wait_type what, bool State::*awaiting, void (StreamEvents::*event)()) {
    if (std::exchange((*state_).*awaiting, true)) return;
    state_->descriptor.async_wait(what, [weak = std::weak_ptr<State>(state_), awaiting,
                                         event](const boost::system::error_code& failure) {
      const auto state = weak.lock();
      if (!state || failure == boost::asio::error::operation_aborted) return;
      (*state).*awaiting = false;
      if (state->events != nullptr) (state->events->*event)();
    });
  }

  std::shared_ptr<State> state_;
  std::optional<PeerCredentials> credentials_;
  std::string description_;
};

}  // namespace

Result<std::unique_ptr<Stream>> make_fd_stream(Reactor& reactor, UniqueFd&& socket, const ChannelAddr& addr) {
  std::optional<PeerCredentials> credentials;
  std::string description = addr.text();
  if (addr.transport() == Transport::kUnix) {
    ucred peer{};
    socklen_t size = sizeof peer;
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
      return os_error(Cause::kIo, "asking who is at the other end of " + description, errno);
    }
    credentials = PeerCredentials{.pid = peer.pid, .uid = peer.uid};
    description += " (pid " + std::to_string(peer.pid) + ")";
    if (peer.uid != ::geteuid() && peer.uid != 0) {
      return Error(Cause::kAuthentication, description + " belongs to user " + std::to_string(peer.uid) +
                                               "; only user " + std::to_string(::geteuid()) +
                                               " and root may connect");
    }
  } else {
    const int on = 1;
    if (::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0) {
      return os_error(Cause::kIo, "setting TCP_NODELAY on " + description, errno);
    }
    const auto remote = socket_name(socket.get(), SocketEnd::kRemote);
    if (remote && *remote != addr) description += " from " + remote->text();
  }
  auto stream = std::make_unique<FdStream>(reactor, credentials, std::move(description));
  if (auto opened = stream->open(std::move(socket)); !opened) return opened.error();
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace hostmesh::detail
