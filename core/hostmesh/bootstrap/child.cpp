#include "hostmesh/bootstrap/child.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/channel/dial.hpp"
#include "hostmesh/process/adopted_reaper.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/rlimit.hpp"
#include "hostmesh/process/sweep.hpp"

namespace hostmesh::bootstrap {

namespace {

constexpr Duration kPayloadTimeout = std::chrono::seconds(30);
// The last sweep ends when nobody is left; one who cannot be killed at all is given up. Until then an owner
// that lives ends this process when it has waited long enough, and one that is dead waits for nothing.
constexpr Duration kSweepTimeout = std::chrono::seconds(60);
// How long the last words may take.
constexpr Duration kFlushTimeout = std::chrono::seconds(1);

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "hostmesh-bootstrap: %s\n", what.c_str());
  std::fflush(nullptr);
  ::_exit(1);
}

// Takes stdin away as the lifeline, so that nothing that runs here reads from it by accident.
UniqueFd take_lifeline() {
  UniqueFd lifeline(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!lifeline || !null || ::dup2(null.get(), STDIN_FILENO) < 0) {
    die("its stdin cannot be set aside as the lifeline: " + errno_text(errno));
  }
  return lifeline;
}

class Child {
 public:
  Child(Payload payload, UniqueFd lifeline, ChannelAddr owner, const Config& config, ActorTable actors,
        const std::function<ChildHooks(Node&)>& make_hooks)
      : payload_(std::move(payload)),
        owner_(std::move(owner)),
        node_(config, std::move(actors)),
        hooks_(make_hooks(node_)),
        reaper_(node_.reactor, node_.registry),
        lifeline_(io_context_of(node_.reactor), lifeline.release()),
        // HUP: what the kernel sends to a stopped process, with CONT, when its owner is gone.
        signals_(io_context_of(node_.reactor), SIGTERM, SIGINT, SIGHUP),
        give_up_(node_.reactor) {}

  [[noreturn]] void run() {
    watch_lifeline();
    signals_.async_wait([this](const boost::system::error_code& failure, int number) {
      if (!failure) leave(128 + number, Mode::kAtOnce);
    });
    node_.reactor.post([this] { say_hello(); });
    node_.reactor.run();
    ::_exit(1);  // leave() ends the process before
  }

 private:
  enum class Mode { kOrderly, kAtOnce };

  void watch_lifeline() {
    lifeline_.async_read_some(boost::asio::buffer(lifeline_byte_),
                              [this](const boost::system::error_code& failure, std::size_t) {
                                if (failure) return leave(1, Mode::kAtOnce);  // its owner is gone
                                watch_lifeline();
                              });
  }

  void say_hello() {
    Hello hello{.pid = ::getpid(), .node = node_name()};
    if (payload_.listen_on) {
      const auto transport = parse_transport(*payload_.listen_on);
      if (!transport) die("cannot listen: " + transport.error().text());
      const auto address = node_.gate.address(*transport);
      if (!address) die("cannot listen: " + address.error().text());
      hello.addr = *address;
    }
    const PeerClaim claim{.role = Role::kChild,
                          .allocation = payload_.allocation,
                          .rank = payload_.rank,
                          .incarnation = payload_.incarnation,
                          .process = hello.addr.text()};
    dial_ = dial(node_.reactor, owner_,
                 {.claim = claim,
                  .key = payload_.key,
                  .deadline = Deadline::after(node_.config.get(attribute::kHelloTimeout)),
                  .expected_server_identity = payload_.owner_identity},
                 node_.config, [this, hello](Result<std::shared_ptr<Connection>> connection) {
                   if (!connection) die("cannot reach its owner: " + connection.error().text());
                   link_ = node_.system.router().add_link(
                       *std::move(connection),
                       {.name = "its owner at " + owner_.text(),
                        .on_side_message = [this](ByteView bytes) { on_message(bytes); },
                        .on_close = [this](const CloseReason&) { leave(1, Mode::kAtOnce); }});
                   tell(hello);
                 });
  }

  static std::string node_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
  }

  template <class M>
  void tell(const M& message) {
    link_->send_side(pack(message), SendClass::kControl);
  }

  void on_message(ByteView bytes) {
    switch (type_of(bytes)) {
      case MessageType::kStartProc:
        if (const auto start = unpack<StartProc>(bytes)) return start_proc(*start);
        break;
      case MessageType::kHeartbeat:
        return tell(Heartbeat{});
      case MessageType::kStopAndExit:
        if (const auto stop = unpack<StopAndExit>(bytes)) return leave(stop->code, Mode::kOrderly);
        break;
      case MessageType::kExit:
        if (const auto stop = unpack<Exit>(bytes)) return leave(stop->code, Mode::kAtOnce);
        break;
      default:
        break;
    }
    log::error("its owner sent a message that cannot be read; leaving");
    leave(1, Mode::kAtOnce);
  }

  void start_proc(const StartProc& start) {
    if (proc_ != nullptr) return;
    Router& router = node_.system.router();
    router.set_default(link_);
    router.bind_address(start.owner_addr, link_);
    if (!start.peer_secret.empty()) {
      node_.gate.admit_peers(payload_.allocation, start.peer_secret);
      dial_peers_with(start.peer_secret);
    }
    proc_ = &node_.system.add_proc(start.proc_id);
    const auto agent = hooks_.on_start(node_, *proc_, start);
    if (!agent) die("its proc " + start.proc_id.text() + " cannot be started: " + agent.error().text());
    ChannelAddr addr;
    if (payload_.listen_on) addr = *node_.gate.address(*parse_transport(*payload_.listen_on));
    tell(StartedProc{.proc_id = start.proc_id, .agent = *agent, .addr = addr});
  }

  // Other members of the allocation are dialled when first written to.
  void dial_peers_with(const Secret& secret) {
    node_.system.router().set_dialer([this, secret](const ChannelAddr& address,
                                                    std::function<void(Result<std::shared_ptr<Link>>)> done) {
      PeerClaim claim{.role = Role::kPeer,
                      .allocation = payload_.allocation,
                      .rank = payload_.rank,
                      .incarnation = payload_.incarnation};
      if (payload_.listen_on) {
        claim.process = node_.gate.address(*parse_transport(*payload_.listen_on))->text();
      }
      auto& slot = peer_dials_.emplace_back();
      slot = dial(node_.reactor, address,
                  {.claim = claim,
                   .key = key_for(secret, claim),
                   .deadline = Deadline::after(node_.config.get(attribute::kMessageDeliveryTimeout))},
                  node_.config,
                  [this, address, done = std::move(done)](Result<std::shared_ptr<Connection>> connection) {
                    if (!connection) return done(connection.error());
                    done(node_.system.router().add_link(*std::move(connection), {.name = address.text()}));
                  });
    });
  }

  // The one way out. Orderly: what runs here is stopped first; a second call makes it short. Either way
  // everything below this process is killed before it ends, and what was said is flushed.
  void leave(int code, Mode mode) {
    if (mode == Mode::kOrderly) {
      if (std::exchange(leaving_, true)) return;
      exit_code_ = code;
      hooks_.on_stop([this] { end_descendants(); });
      return;
    }
    if (!std::exchange(leaving_, true)) exit_code_ = code;
    end_descendants();
  }

  // A spawn that is under way now may end behind the first sweep's back; the one that begins after the last
  // spawn counts.
  void end_descendants() {
    if (std::exchange(ending_, true)) return;
    node_.launch_thread.close([this] {
      node_.reactor.post([this] {
        launches_ended_ = true;
        if (!sweep_) sweep();
      });
    });
    sweep();
  }

  void sweep() {
    sweep_ = std::make_unique<Sweep>(
        node_.reactor, node_.registry, [](pid_t) { return true; }, Deadline::after(kSweepTimeout),
        [this, last = launches_ended_](const std::vector<pid_t>& survivors) {
          for (const pid_t pid : survivors) log::error("could not be killed pid=" + std::to_string(pid));
          if (last) return flush_and_exit();
          // Not from inside the sweep's own call.
          node_.reactor.post([this, ended = std::shared_ptr<Sweep>(std::move(sweep_))] {
            if (launches_ended_) sweep();
          });
        });
  }

  void flush_and_exit() {
    std::fflush(nullptr);
    if (!link_) ::_exit(exit_code_);
    give_up_.after(kFlushTimeout, [this] { ::_exit(exit_code_); });
    link_->connection()->flush([this] { ::_exit(exit_code_); });
  }

  const Payload payload_;
  const ChannelAddr owner_;
  Node node_;
  ChildHooks hooks_;
  AdoptedReaper reaper_;
  boost::asio::posix::stream_descriptor lifeline_;
  std::array<char, 64> lifeline_byte_{};
  boost::asio::signal_set signals_;
  Timer give_up_;
  std::unique_ptr<Dial> dial_;
  std::vector<std::unique_ptr<Dial>> peer_dials_;
  std::shared_ptr<Link> link_;
  Proc* proc_ = nullptr;
  bool leaving_ = false;
  bool ending_ = false;
  bool launches_ended_ = false;
  int exit_code_ = 1;
  std::unique_ptr<Sweep> sweep_;
};

}  // namespace

bool is_child() {
  const char* mode = std::getenv(kEnvMode);
  return mode != nullptr && *mode != '\0';
}

void run_child(ActorTable actors, const std::function<ChildHooks(Node&)>& make_hooks) {
  const std::string mode = std::getenv(kEnvMode) == nullptr ? "" : std::getenv(kEnvMode);
  if (mode != kModeStdin) {
    die(std::string("this program is started by hostmesh, not by hand: ") + kEnvMode + " is '" + mode +
        "', not '" + kModeStdin + "'");
  }
  const char* address = std::getenv(kEnvAddr);
  const auto owner = ChannelAddr::parse(address == nullptr ? "" : address);
  if (!owner) die(std::string(kEnvAddr) + " cannot be used: " + owner.error().text());

  UniqueFd lifeline = take_lifeline();
  auto payload = read_payload(lifeline.get(), Deadline::after(kPayloadTimeout));
  if (!payload) die(payload.error().text());
  // What this process starts is not to take itself for a child of our owner.
  for (const char* name : {kEnvAddr, kEnvIndex, kEnvMode, kEnvLogChannel}) ::unsetenv(name);

  std::signal(SIGPIPE, SIG_IGN);
  if (const auto made = become_subreaper(); !made) log::warning(made.error().text());
  Config config = Config::from_process_environment();
  config.install_from_parent(payload->config);
  // Never destroyed: the process ends from within.
  auto* child =
      new Child(*std::move(payload), std::move(lifeline), *owner, config, std::move(actors), make_hooks);
  child->run();
}

}  // namespace hostmesh::bootstrap
