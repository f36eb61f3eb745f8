#include "hostmesh/channel/dial.hpp"

#include <sodium.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
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

constexpr Duration kLongestPause = 250ms;
// Of one attempt to resume a session. A first packet that was lost is repeated by the kernel after 1, 3, 7 s;
// over a link that is back a new one is sooner.
constexpr Duration kResumeConnectWithin = 1s;
constexpr Duration kResumeHandshakeWithin = 3s;

bool may_pass(int error) {
  return error == ECONNREFUSED || error == ENOENT || error == EAGAIN || error == ECONNRESET ||
         error == ECONNABORTED || error == ETIMEDOUT || error == EINTR;
}

// Retrying on a port of the ephemeral range can meet itself: the kernel then connects the socket to its own
// end.
bool is_connected_to_itself(int socket) {
  const auto local = detail::socket_name(socket, detail::SocketEnd::kLocal);
  const auto remote = detail::socket_name(socket, detail::SocketEnd::kRemote);
  return local && remote && *local == *remote;
}

// attempt -> (connecting ->) handshake -> done; each may go back to attempt after a pause, until the
// deadline. Whoever resumes a session knows that somebody did listen: a refusal then says that he is gone,
// and all other failures may pass.
class Dialler : public std::enable_shared_from_this<Dialler> {
 public:
  using Done = std::function<void(Result<detail::Established>)>;

  Dialler(Reactor& reactor, ChannelAddr addr, DialOptions options, const detail::SessionAsk& ask,
          const detail::Limits& limits, Done done)
      : reactor_(reactor),
        addr_(std::move(addr)),
        options_(std::move(options)),
        ask_(ask),
        limits_(limits),
        done_(std::move(done)),
        connecting_(io_context_of(reactor)),
        deadline_timer_(reactor),
        attempt_timer_(reactor),
        pause_(reactor) {}

  void begin() {
    deadline_timer_.at(options_.deadline, [this] { give_up(); });
    soon(&Dialler::attempt);
  }

  void cancel() {
    done_ = nullptr;
    rest();
  }

 private:
  void soon(void (Dialler::*what)()) {
    boost::asio::post(io_context_of(reactor_), [weak = weak_from_this(), what] {
      const auto self = weak.lock();
      if (self && self->done_) ((*self).*what)();
    });
  }

  void attempt() {
    if (auto valid = check(); !valid) return finish(valid.error());
    if (addr_.transport() == Transport::kLocal) {
      auto stream = detail::connect_local(reactor_, addr_.number());
      if (!stream) return finish(stream.error());
      return shake_hands(*std::move(stream));
    }
    const auto address = detail::socket_address(addr_);
    if (!address) return finish(address.error());
    auto socket = detail::new_socket(addr_);
    if (!socket) return fail(socket.error());
    if (::connect(socket->get(), address->get(), address->size) == 0) return on_connected(*std::move(socket));
    if (errno != EINPROGRESS) return on_connect_failed(errno);
    boost::system::error_code failure;
    connecting_.assign(socket->get(), failure);
    if (failure) return fail(os_error(Cause::kResourceLimit, "watching " + addr_.text(), failure.value()));
    (void)socket->release();
    bound_attempt(kResumeConnectWithin, "connecting to");
    connecting_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                           [weak = weak_from_this()](const boost::system::error_code& aborted) {
                             const auto self = weak.lock();
                             if (self && self->done_ && aborted != boost::asio::error::operation_aborted) {
                               self->on_connect_result();
                             }
                           });
  }

  Result<> check() const {
    if (!addr_.valid() || addr_.is_any()) {
      return Error(Cause::kInvalidArgument, "'" + addr_.text() + "' is not an address that can be dialled");
    }
    if (options_.key.empty())
      return Error(Cause::kInvalidArgument, "dialling " + addr_.text() + " without a key");
    if (options_.claim.allocation.size() > detail::kMaxAllocationText ||
        options_.claim.process.size() > detail::kMaxIdentityText) {
      return Error(Cause::kInvalidArgument, "a claim with a text that is too long");
    }
    return {};
  }

  void on_connect_result() {
    int error = 0;
    socklen_t size = sizeof error;
    UniqueFd socket(connecting_.release());
    if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error != 0) return on_connect_failed(error);
    on_connected(std::move(socket));
  }

  void on_connected(UniqueFd socket) {
    if (addr_.transport() == Transport::kTcp && is_connected_to_itself(socket.get())) {
      return on_connect_failed(ECONNREFUSED);
    }
    if (auto watched = detail::watch_link(socket.get(), addr_, limits_); !watched)
      return fail(watched.error());
    auto stream = detail::make_fd_stream(reactor_, std::move(socket), addr_);
    if (stream && detail::needs_tls(addr_, limits_)) {
      stream = detail::dialling_tls(reactor_, *std::move(stream), options_.claim, options_.key);
    }
    if (!stream) return fail(stream.error());
    shake_hands(*std::move(stream));
  }

  void on_connect_failed(int error) {
    const Error failure = os_error(detail::cause_of(error), "connecting to " + addr_.text(), error);
    const bool final = resumes() ? error == ECONNREFUSED : !may_pass(error);
    if (final) return finish(failure);
    try_again(failure);
  }

  // For want of something on this side.
  void fail(const Error& failure) {
    if (!resumes()) return finish(failure);
    try_again(failure);
  }

  bool resumes() const { return ask_.wish == detail::SessionWish::kResume; }

  // Only for those who resume: whoever dials first has the whole time for each attempt.
  void bound_attempt(Duration within, const char* doing) {
    if (!resumes()) return;
    attempt_timer_.after(within, [this, within, doing] {
      boost::system::error_code ignored;
      connecting_.close(ignored);
      handshake_.reset();
      try_again(Error(Cause::kTimeout,
                      std::string(doing) + " " + addr_.text() + " took over " + to_string(within)));
    });
  }

  void shake_hands(std::unique_ptr<detail::Stream> stream) {
    bound_attempt(kResumeHandshakeWithin, "the handshake with");
    handshake_ = detail::Handshake::dialling(
        std::move(stream), options_, ask_, limits_,
        // One that was cancelled is dropped a turn later, and bytes may still reach it in between.
        [weak = weak_from_this()](Result<detail::Established> result) {
          if (const auto self = weak.lock(); self && self->done_) self->on_handshake(std::move(result));
        });
  }

  void on_handshake(Result<detail::Established> result) {
    const auto self = shared_from_this();
    const auto finished = std::move(handshake_);  // it is what called
    if (result) return finish(std::move(result));
    if (result.error().cause() != Cause::kPeerGone) return finish(result.error());
    try_again(result.error());
  }

  void try_again(Error failure) {
    attempt_timer_.cancel();
    last_failure_ = std::move(failure);
    if (next_pause_ == Duration::zero()) {
      next_pause_ = 1ms;
      return soon(&Dialler::attempt);
    }
    // Between half and one and a half of it, so that many diallers do not come together again.
    const auto jitter = Duration(::randombytes_uniform(static_cast<std::uint32_t>(next_pause_.count())));
    pause_.after(next_pause_ / 2 + jitter, [this] { attempt(); });
    next_pause_ = std::min(next_pause_ * 2, kLongestPause);
  }

  void give_up() {
    std::string text = "nobody at " + addr_.text() + " completed a connection before the deadline";
    if (handshake_) {
      text = addr_.text() + " is connected but did not answer the handshake before the deadline";
    } else if (last_failure_.cause() != Cause::kNone) {
      text += "; the last attempt: " + last_failure_.text();
    }
    finish(Error(Cause::kTimeout, std::move(text)));
  }

  void finish(Result<detail::Established> result) {
    const auto self = shared_from_this();
    const auto done = std::exchange(done_, nullptr);
    rest();
    if (!done) return;
    if (!result) return done(result.error().with_phase("connect"));
    done(std::move(result));
  }

  void rest() {
    deadline_timer_.cancel();
    attempt_timer_.cancel();
    pause_.cancel();
    boost::system::error_code ignored;
    connecting_.close(ignored);
    drop_handshake();
  }

  // Perhaps called from inside it.
  void drop_handshake() {
    if (handshake_) reactor_.post([dropped = std::shared_ptr<detail::Handshake>(std::move(handshake_))] {});
  }

  Reactor& reactor_;
  ChannelAddr addr_;
  DialOptions options_;
  detail::SessionAsk ask_;
  detail::Limits limits_;
  Done done_;
  boost::asio::posix::stream_descriptor connecting_;
  std::unique_ptr<detail::Handshake> handshake_;
  Timer deadline_timer_;
  Timer attempt_timer_;
  Timer pause_;
  Duration next_pause_ = Duration::zero();
  Error last_failure_;
};

class DialHandle final : public Dial {
 public:
  explicit DialHandle(std::shared_ptr<Dialler> dialler) : dialler_(std::move(dialler)) {}
  ~DialHandle() override { dialler_->cancel(); }

 private:
  std::shared_ptr<Dialler> dialler_;
};

std::unique_ptr<Dial> dial_stream(Reactor& reactor, const ChannelAddr& addr, DialOptions options,
                                  const detail::SessionAsk& ask, const detail::Limits& limits,
                                  Dialler::Done done) {
  auto dialler = std::make_shared<Dialler>(reactor, addr, std::move(options), ask, limits, std::move(done));
  dialler->begin();
  return std::make_unique<DialHandle>(std::move(dialler));
}

// How a session of this dialler comes back.
detail::Redial redial_of(Reactor& reactor, const ChannelAddr& addr, const DialOptions& options,
                         const detail::Limits& limits) {
  return
      [&reactor, addr, options, limits](const detail::SessionName& name, Deadline deadline,
                                        std::function<void(Result<std::unique_ptr<detail::Stream>>)> done) {
        DialOptions again = options;
        again.deadline = deadline;
        return dial_stream(reactor, addr, std::move(again), {detail::SessionWish::kResume, name}, limits,
                           [done = std::move(done)](Result<detail::Established> result) {
                             if (!result) return done(result.error());
                             done(std::move(result->stream));
                           });
      };
}

}  // namespace

std::unique_ptr<Dial> dial(Reactor& reactor, const ChannelAddr& addr, DialOptions options,
                           const Config& config,
                           std::function<void(Result<std::shared_ptr<Connection>>)> done) {
  const detail::Limits limits(config);
  const bool resumes = addr.valid() && detail::may_resume(addr, limits);
  const detail::SessionAsk ask{.wish = resumes ? detail::SessionWish::kNew : detail::SessionWish::kNone};
  auto redial = resumes ? redial_of(reactor, addr, options, limits) : nullptr;
  return dial_stream(reactor, addr, std::move(options), ask, limits,
                     [&reactor, limits, done = std::move(done),
                      redial = std::move(redial)](Result<detail::Established> result) {
                       if (!result) return done(result.error());
                       if (result->session) {
                         result->stream = detail::dialled_session(reactor, std::move(result->stream),
                                                                  *result->session, limits, redial);
                       }
                       done(Connection::Impl::make(reactor, *std::move(result), limits));
                     });
}

}  // namespace hostmesh
