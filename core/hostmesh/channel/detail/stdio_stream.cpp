#include "hostmesh/channel/detail/stdio_stream.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"

namespace hostmesh::detail {

namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

bool is_socket(int fd) {
  struct stat about {};
  return ::fstat(fd, &about) == 0 && S_ISSOCK(about.st_mode);
}

class StdioStream final : public Stream {
 public:
  StdioStream(Reactor& reactor, std::string description)
      : state_(std::make_shared<State>(reactor)), description_(std::move(description)) {}

  Result<> open(UniqueFd in, UniqueFd out) {
    if (!out) out.reset(::fcntl(in.get(), F_DUPFD_CLOEXEC, 3));
    if (!out) return os_error(Cause::kResourceLimit, "duplicating " + description_, errno);
    out_is_socket_ = is_socket(out.get());
    if (auto watched = watch(state_->in, std::move(in)); !watched) return watched;
    return watch(state_->out, std::move(out));
  }

  ~StdioStream() override {
    state_->events = nullptr;
    // Only sockets know this; for pipes the end of the descriptor is the end.
    for (Descriptor* each : {&state_->in, &state_->out}) {
      if (each->is_open()) ::shutdown(each->native_handle(), SHUT_RDWR);
      boost::system::error_code ignored;
      each->close(ignored);
    }
  }

  void set_events(StreamEvents* events) override { state_->events = events; }

  IoResult read_some(std::span<std::uint8_t> into) override {
    while (true) {
      const ssize_t count = ::read(state_->in.native_handle(), into.data(), into.size());
      if (count > 0) return {.bytes = static_cast<std::size_t>(count)};
      if (count == 0) return {.end = true};
      if (errno != EINTR) return {.error = errno};
    }
  }

  IoResult write_some(std::span<const iovec> from) override {
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = from.size();
    const int fd = state_->out.native_handle();
    while (true) {
      const ssize_t count = out_is_socket_ ? ::sendmsg(fd, &message, MSG_NOSIGNAL)
                                           : ::writev(fd, from.data(), static_cast<int>(from.size()));
      if (count >= 0) return {.bytes = static_cast<std::size_t>(count)};
      if (errno != EINTR) return {.error = errno};
    }
  }

  void await_readable() override {
    await(state_->in, Descriptor::wait_read, &State::awaiting_read, &StreamEvents::on_readable);
  }
  void await_writable() override {
    await(state_->out, Descriptor::wait_write, &State::awaiting_write, &StreamEvents::on_writable);
  }

  // Of the program in between, which tells nothing.
  std::optional<PeerCredentials> credentials() const override { return std::nullopt; }
  const std::string& description() const override { return description_; }

 private:
  struct State {
    explicit State(Reactor& reactor) : in(io_context_of(reactor)), out(io_context_of(reactor)) {}
    Descriptor in;
    Descriptor out;
    StreamEvents* events = nullptr;
    bool awaiting_read = false;
    bool awaiting_write = false;
  };

  Result<> watch(Descriptor& descriptor, UniqueFd fd) const {
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
      return os_error(Cause::kIo, "making " + description_ + " not block", errno);
    }
    boost::system::error_code failure;
    descriptor.assign(fd.get(), failure);
    if (failure) return os_error(Cause::kResourceLimit, "watching " + description_, failure.value());
    (void)fd.release();
    return {};
  }

  void await(Descriptor& descriptor, Descriptor::wait_type what, bool State::*awaiting,
             void (StreamEvents::*event)()) {
    if (std::exchange((*state_).*awaiting, true)) return;
    descriptor.async_wait(what, [weak = std::weak_ptr<State>(state_), awaiting,
                                 event](const boost::system::error_code& failure) {
      const auto state = weak.lock();
      if (!state || failure == boost::asio::error::operation_aborted) return;
      (*state).*awaiting = false;
      if (state->events != nullptr) (state->events->*event)();
    });
  }

  std::shared_ptr<State> state_;
  std::string description_;
  bool out_is_socket_ = false;
};

}  // namespace

Result<std::unique_ptr<Stream>> make_stdio_stream(Reactor& reactor, UniqueFd in, UniqueFd out,
                                                  std::string description) {
  auto stream = std::make_unique<StdioStream>(reactor, std::move(description));
  if (auto opened = stream->open(std::move(in), std::move(out)); !opened) return opened.error();
  return std::unique_ptr<Stream>(std::move(stream));
}

}  // namespace hostmesh::detail
