#include "hostmesh/channel/stdio.hpp"

#include <utility>

#include "hostmesh/channel/detail/handshake.hpp"
#include "hostmesh/channel/detail/stdio_stream.hpp"

namespace hostmesh {

namespace {

using Done = std::function<void(Result<std::shared_ptr<Connection>>)>;

// One handshake over one stream, bounded in time.
class Meeting : public std::enable_shared_from_this<Meeting> {
 public:
  using Begin = std::function<std::unique_ptr<detail::Handshake>(
      std::unique_ptr<detail::Stream>, const detail::Limits&, detail::Handshake::Done)>;

  Meeting(Reactor& reactor, const Config& config, Done done)
      : reactor_(reactor), limits_(config), done_(std::move(done)), timer_(reactor) {}

  void begin(StdioEnds ends, Deadline deadline, const Begin& begin) {
    description_ = ends.description;
    auto stream = detail::make_stdio_stream(reactor_, std::move(ends.in), std::move(ends.out), description_);
    if (!stream) {
      return reactor_.post([self = shared_from_this(), why = stream.error()] { self->finish(why); });
    }
    timer_.at(deadline, [this] {
      finish(Error(Cause::kTimeout, description_ + " did not complete the handshake before the deadline"));
    });
    handshake_ = begin(*std::move(stream), limits_, [this](Result<detail::Established> result) {
      const auto keep = shared_from_this();
      const auto finished = std::move(handshake_);  // it is what called
      if (!result) return finish(result.error());
      finish(Connection::Impl::make(reactor_, *std::move(result), limits_));
    });
  }

  void cancel() {
    done_ = nullptr;
    rest();
  }

  const detail::Limits& limits() const { return limits_; }

 private:
  void finish(Result<std::shared_ptr<Connection>> result) {
    const auto keep = shared_from_this();
    const auto done = std::exchange(done_, nullptr);
    rest();
    if (!done) return;
    if (!result) return done(result.error().with_phase("connect"));
    done(std::move(result));
  }

  void rest() {
    timer_.cancel();
    // Perhaps called from inside it.
    if (handshake_) reactor_.post([dropped = std::shared_ptr<detail::Handshake>(std::move(handshake_))] {});
  }

  Reactor& reactor_;
  const detail::Limits limits_;
  Done done_;
  Timer timer_;
  std::string description_;
  std::unique_ptr<detail::Handshake> handshake_;
};

class MeetingHandle final : public Dial {
 public:
  explicit MeetingHandle(std::shared_ptr<Meeting> meeting) : meeting_(std::move(meeting)) {}
  ~MeetingHandle() override { meeting_->cancel(); }

 private:
  std::shared_ptr<Meeting> meeting_;
};

}  // namespace

std::unique_ptr<Dial> dial_over(Reactor& reactor, StdioEnds ends, DialOptions options, const Config& config,
                                Done done) {
  auto meeting = std::make_shared<Meeting>(reactor, config, std::move(done));
  meeting->begin(std::move(ends), options.deadline, [&options](auto stream, const auto& limits, auto result) {
    return detail::Handshake::dialling(std::move(stream), options, {}, limits, std::move(result));
  });
  return std::make_unique<MeetingHandle>(std::move(meeting));
}

std::unique_ptr<Dial> accept_over(Reactor& reactor, StdioEnds ends, ListenOptions options,
                                  const Config& config, Done done) {
  auto meeting = std::make_shared<Meeting>(reactor, config, std::move(done));
  const auto shared = std::make_shared<const ListenOptions>(std::move(options));
  meeting->begin(std::move(ends), Deadline::after(meeting->limits().handshake_timeout),
                 [&shared](auto stream, const auto& limits, auto result) {
                   return detail::Handshake::listening(std::move(stream), shared, nullptr, limits,
                                                       std::move(result));
                 });
  return std::make_unique<MeetingHandle>(std::move(meeting));
}

}  // namespace hostmesh
