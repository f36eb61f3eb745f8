#include "hostmesh/channel/listener.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <unordered_map>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/channel/detail/fd_stream.hpp"
#include "hostmesh/channel/detail/handshake.hpp"
#include "hostmesh/channel/detail/local.hpp"
#include "hostmesh/channel/detail/session.hpp"
#include "hostmesh/channel/detail/socket.hpp"
#include "hostmesh/channel/detail/tls.hpp"

namespace hostmesh {

namespace {

using namespace std::chrono_literals;

constexpr int kBacklog = 4096;
constexpr int kAcceptsPerTurn = 64;
// With no descriptors left, the peer stays in the backlog and its socket stays readable: wait for some to
// come back.
constexpr Duration kExhaustedPause = 50ms;

struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};

std::optional<FileId> file_id(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return std::nullopt;
  return FileId{status.st_dev, status.st_ino};
}

// True when a socket is at the path and nobody listens at it.
bool is_left_behind(const ChannelAddr& addr, const detail::SocketAddress& address) {
  if (addr.transport() != Transport::kUnix || addr.is_abstract() || !file_id(addr.name())) return false;
  const auto probe = detail::new_socket(addr);
  return probe && ::connect(probe->get(), address.get(), address.size) != 0 && errno == ECONNREFUSED;
}

Result<UniqueFd> bind_and_listen(const ChannelAddr& addr) {
  const auto address = detail::socket_address(addr);
  if (!address) return address.error();
  auto socket = detail::new_socket(addr);
  if (!socket) return socket.error();
  if (addr.transport() == Transport::kTcp) {
    const int on = 1;
    if (::setsockopt(socket->get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0) {
      return os_error(Cause::kIo, "setting SO_REUSEADDR on " + addr.text(), errno);
    }
  }
  int failed = ::bind(socket->get(), address->get(), address->size);
  if (failed != 0 && errno == EADDRINUSE) {
    if (is_left_behind(addr, *address)) {
      ::unlink(addr.name().c_str());
      failed = ::bind(socket->get(), address->get(), address->size);
    } else {
      errno = EADDRINUSE;
    }
  }
  if (failed != 0) return os_error(detail::cause_of(errno), "binding " + addr.text(), errno);
  const bool path = addr.transport() == Transport::kUnix && !addr.is_abstract();
  if (path && ::chmod(addr.name().c_str(), S_IRUSR | S_IWUSR) != 0) {
    return os_error(Cause::kIo, "restricting " + addr.text() + " to its user", errno);
  }
  if (::listen(socket->get(), kBacklog) != 0) {
    return os_error(detail::cause_of(errno), "listening at " + addr.text(), errno);
  }
  return socket;
}

}  // namespace

struct Listener::Impl : std::enable_shared_from_this<Listener::Impl> {
  struct HalfOpen {
    std::unique_ptr<detail::Handshake> handshake;
    std::unique_ptr<Timer> timer;
  };

  Impl(Reactor& r, ListenOptions o, const Config& config,
       std::function<void(std::shared_ptr<Connection>)> callback)
      : reactor(r),
        options(std::make_shared<const ListenOptions>(std::move(o))),
        limits(config),
        on_connection(std::move(callback)),
        acceptor(io_context_of(r)) {}

  Result<> open(const ChannelAddr& wanted);
  void close();
  void await_peer();
  void accept_some();
  bool accept_one();
  // What a peer gets for the way that it came.
  struct Way {
    ChannelAddr dialled;
    bool tls = false;
    bool sessions = false;
  };
  void begin_handshake(std::unique_ptr<detail::Stream> stream, Way way);
  Way way_of(int socket) const;
  void on_handshake(std::uint64_t id, Result<detail::Established> result);
  void refuse(const Error& why, const std::string& who);

  Reactor& reactor;
  std::shared_ptr<const ListenOptions> options;
  detail::Limits limits;
  std::function<void(std::shared_ptr<Connection>)> on_connection;
  ChannelAddr addr;   // as others are told
  ChannelAddr bound;  // tcp: as it is

  boost::asio::posix::stream_descriptor acceptor;  // unix and tcp
  std::unique_ptr<detail::LocalPort> port;         // local
  std::optional<FileId> socket_file;               // a path socket of our making
  std::unique_ptr<Timer> pause;                    // while descriptors are exhausted

  std::unordered_map<std::uint64_t, HalfOpen> half_open;
  std::shared_ptr<detail::SessionTable> sessions = std::make_shared<detail::SessionTable>();
  std::uint64_t last_id = 0;
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;
  std::string last_refusal;
  bool closed = false;
};

Result<> Listener::Impl::open(const ChannelAddr& wanted) {
  addr = wanted;
  if (wanted.transport() == Transport::kLocal) {
    if (!wanted.is_any()) {
      return Error(Cause::kInvalidArgument,
                   "listening at " + wanted.text() + ": numbers are given out, listen at local:0");
    }
    port = detail::listen_local(reactor, [weak = weak_from_this()](std::unique_ptr<detail::Stream> stream) {
      const auto self = weak.lock();
      if (self && !self->closed) self->begin_handshake(std::move(stream), Way{});
    });
    addr = ChannelAddr::local(port->number());
    return {};
  }
  auto socket = bind_and_listen(wanted);
  if (!socket) return socket.error();
  if (wanted.transport() == Transport::kTcp) {
    auto name = detail::socket_name(socket->get(), detail::SocketEnd::kLocal);
    if (!name) return name.error();
    addr = bound = *std::move(name);
    if (!options->advertise.empty()) {
      auto advertised = ChannelAddr::tcp(options->advertise, static_cast<std::uint16_t>(addr.number()));
      if (!advertised) {
        return Error(Cause::kConfiguration,
                     "'" + options->advertise + "' is no numeric address to advertise");
      }
      addr = *std::move(advertised);
    }
  } else if (!wanted.is_abstract()) {
    socket_file = file_id(wanted.name());
  }
  boost::system::error_code failure;
  acceptor.assign(socket->get(), failure);
  if (failure) return os_error(Cause::kResourceLimit, "watching " + addr.text(), failure.value());
  (void)socket->release();
  await_peer();
  return {};
}

void Listener::Impl::close() {
  closed = true;
  port.reset();
  pause.reset();
  boost::system::error_code ignored;
  acceptor.close(ignored);
  // Not what somebody else has put there since.
  if (socket_file && file_id(addr.name()) == socket_file) ::unlink(addr.name().c_str());
  // A handshake may be what we are called from: those are destroyed when the reactor is back.
  auto dropped = std::make_shared<std::unordered_map<std::uint64_t, HalfOpen>>(std::exchange(half_open, {}));
  for (auto& [id, peer] : *dropped) peer.timer.reset();
  if (!dropped->empty()) reactor.post([dropped] {});
}

void Listener::Impl::await_peer() {
  acceptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [weak = weak_from_this()](const boost::system::error_code& failure) {
                        const auto self = weak.lock();
                        if (self && !self->closed && !failure) self->accept_some();
                      });
}

void Listener::Impl::accept_some() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (!accept_one()) return;
  }
  await_peer();
}

// False when accepting goes on later, or never.
bool Listener::Impl::accept_one() {
  UniqueFd socket(::accept4(acceptor.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!socket) {
    const int error = errno;
    if (error == EAGAIN) {
      await_peer();
      return false;
    }
    if (detail::cause_of(error) != Cause::kResourceLimit) return true;  // this peer failed, not we
    refuse(os_error(Cause::kResourceLimit, "accepting at " + addr.text(), error), addr.text());
    if (closed) return false;
    pause = std::make_unique<Timer>(reactor);
    pause->after(kExhaustedPause, [this] { await_peer(); });
    return false;
  }
  const Way way = way_of(socket.get());
  if (auto watched = detail::watch_link(socket.get(), way.dialled, limits); !watched) {
    refuse(watched.error(), addr.text());
    return !closed;
  }
  auto stream = detail::make_fd_stream(reactor, std::move(socket), addr);
  if (stream) {
    begin_handshake(*std::move(stream), way);
  } else {
    if (stream.error().cause() == Cause::kAuthentication) {
      const Bytes refusal = detail::encode_without_proof({.verdict = detail::Verdict::kRefused});
      // As far as it goes: with it the peer knows that another try is useless.
      (void)::send(socket.get(), refusal.data(), refusal.size(), MSG_NOSIGNAL);
    }
    refuse(stream.error(), addr.text());
  }
  return !closed;
}

// By the address that the peer dialled: a listener at every address has more than one.
Listener::Impl::Way Listener::Impl::way_of(int socket) const {
  if (addr.transport() != Transport::kTcp) return {.dialled = addr};
  const auto name = detail::socket_name(socket, detail::SocketEnd::kLocal);
  const ChannelAddr& dialled = name ? *name : bound;
  return {.dialled = dialled,
          .tls = detail::needs_tls(dialled, limits),
          .sessions = detail::may_resume(dialled, limits)};
}

void Listener::Impl::begin_handshake(std::unique_ptr<detail::Stream> stream, Way way) {
  if (half_open.size() >= limits.max_half_open) {
    const Bytes busy = detail::encode_without_proof({.verdict = detail::Verdict::kBusy});
    const iovec buffer{const_cast<std::uint8_t*>(busy.data()), busy.size()};
    // In TLS nothing can be said yet; the end alone makes the peer try again too.
    if (!way.tls) (void)stream->write_some({&buffer, 1});
    return refuse(Error(Cause::kResourceLimit,
                        std::to_string(half_open.size()) +
                            " peers are in their handshake already; MAX_HALF_OPEN allows no more"),
                  stream->description());
  }
  if (way.tls) {
    const std::string who = stream->description();
    auto secured = detail::listening_tls(reactor, std::move(stream), options);
    if (!secured) return refuse(secured.error(), who);
    stream = *std::move(secured);
  }
  const std::uint64_t id = ++last_id;
  HalfOpen& peer = half_open[id];
  peer.handshake =
      detail::Handshake::listening(std::move(stream), options, way.sessions ? sessions : nullptr, limits,
                                   [weak = weak_from_this(), id](Result<detail::Established> result) {
                                     const auto self = weak.lock();
                                     if (self) self->on_handshake(id, std::move(result));
                                   });
  peer.timer = std::make_unique<Timer>(reactor);
  peer.timer->after(limits.handshake_timeout, [this, id] {
    const std::string who = half_open.at(id).handshake->who();
    on_handshake(id, Error(Cause::kTimeout, who + " did not finish its handshake within " +
                                                to_string(limits.handshake_timeout)));
  });
}

void Listener::Impl::on_handshake(std::uint64_t id, Result<detail::Established> result) {
  const auto found = half_open.find(id);
  if (found == half_open.end()) return;
  const auto self = shared_from_this();
  const HalfOpen peer = std::move(found->second);  // destroyed at the end: it may be what called
  half_open.erase(found);
  if (!result) return refuse(result.error(), peer.handshake->who());
  if (result->resumed) {
    return sessions->resume(*result->session, result->peer, std::move(result->stream));
  }
  ++accepted;
  if (result->session) {
    result->stream = detail::accepted_session(reactor, std::move(result->stream), *result->session,
                                              result->peer, limits, *sessions);
  }
  auto connection = Connection::Impl::make(reactor, *std::move(result), limits);
  const auto callback = on_connection;
  if (callback) callback(std::move(connection));
}

void Listener::Impl::refuse(const Error& why, const std::string& who) {
  const auto self = shared_from_this();
  ++refused;
  last_refusal = why.text();
  if (options->on_refused) options->on_refused(why, who);
}

Result<std::unique_ptr<Listener>> Listener::listen(
    Reactor& reactor, const ChannelAddr& addr, ListenOptions options, const Config& config,
    std::function<void(std::shared_ptr<Connection>)> on_connection) {
  if (!addr.valid()) return Error(Cause::kInvalidArgument, "no address to listen at");
  if (options.identity.size() > detail::kMaxIdentityText) {
    return Error(Cause::kInvalidArgument, "an identity of " + std::to_string(options.identity.size()) +
                                              " bytes; at most " + std::to_string(detail::kMaxIdentityText));
  }
  auto impl = std::make_shared<Impl>(reactor, std::move(options), config, std::move(on_connection));
  if (auto opened = impl->open(addr); !opened) return opened.error().with_phase("listen");
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

Listener::Listener(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() {
  impl_->close();
}

const ChannelAddr& Listener::addr() const {
  return impl_->addr;
}
std::uint64_t Listener::accepted() const {
  return impl_->accepted;
}
std::uint64_t Listener::refused() const {
  return impl_->refused;
}
std::size_t Listener::half_open() const {
  return impl_->half_open.size();
}
std::string Listener::last_refusal() const {
  return impl_->last_refusal;
}

}  // namespace hostmesh
