#include "child.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "hostmesh/actor/envelope.hpp"
#include "hostmesh/bootstrap/messages.hpp"
#include "hostmesh/channel/dial.hpp"

namespace hostmesh::payload {

namespace {

using namespace hostmesh::bootstrap;

[[noreturn]] void leave(int code, const char* last_words) {
  std::fprintf(stderr, "%s\n", last_words);
  std::fflush(nullptr);
  ::_exit(code);
}

// Until the owner has enough of us; TERM is taken, as a child that hangs would.
[[noreturn]] void hang() {
  for (;;) ::pause();
}

class BadChild {
 public:
  BadChild(std::string mode, Payload payload, const ChannelAddr& owner)
      : mode_(std::move(mode)), payload_(std::move(payload)), owner_(owner), config_(nullptr) {}

  [[noreturn]] void run() {
    if (mode_ == "wrong_secret") payload_.key = Secret::random();
    if (mode_ == "wrong_rank") payload_.rank += 1;
    reactor_.post([this] { connect(connection_, [this] { connected(); }); });
    reactor_.run();
    std::abort();
  }

 private:
  void connect(std::shared_ptr<Connection>& into, const std::function<void()>& then) {
    dials_.push_back(dial(reactor_, owner_,
                          {.claim = {.role = Role::kChild,
                                     .allocation = payload_.allocation,
                                     .rank = payload_.rank,
                                     .incarnation = payload_.incarnation,
                                     .process = {}},
                           .key = payload_.key,
                           .deadline = Deadline::after(std::chrono::seconds(20)),
                           .expected_server_identity = payload_.owner_identity},
                          config_, [this, &into, then](Result<std::shared_ptr<Connection>> made) {
                            if (!made) leave(4, made.error().what());
                            into = *std::move(made);
                            into->start(
                                {.on_message = [this](ByteView bytes, SendClass) { on_message(bytes); },
                                 .on_close = [](const CloseReason&) {},
                                 .on_drained = nullptr});
                            then();
                          }));
  }

  // The router's envelope around what is not for an actor is one byte; a connection's own messages have none.
  template <class M>
  void tell(Connection& connection, const M& message) {
    Bytes bytes = pack(message);
    bytes.insert(bytes.begin(), kSideMessage);
    (void)connection.send(SendClass::kControl, std::move(bytes));
  }

  void connected() {
    if (mode_ == "garbage") {
      (void)connection_->send(SendClass::kControl, Bytes{kSideMessage, 0xFF, 0xFE, 0x00, 0x17});
      return;
    }
    if (mode_ == "garbage_frame") {
      (void)connection_->send(SendClass::kControl, Bytes(1000, 0xEE));
      return;
    }
    if (mode_ == "silent") return;
    if (mode_ == "started_first") {
      tell(*connection_, StartedProc{});
      return;
    }
    Hello hello{.pid = ::getpid(), .node = "bad", .addr = {}};
    if (mode_ == "wrong_version") hello.version = 99;
    tell(*connection_, hello);
    if (mode_ == "hello_twice") tell(*connection_, hello);
    if (mode_ == "two_connections") {
      connect(second_, [this, hello] { tell(*second_, hello); });
    }
  }

  void on_message(ByteView bytes) {
    bytes = bytes.subspan(1);
    switch (type_of(bytes)) {
      case MessageType::kStartProc:
        return start(*unpack<StartProc>(bytes));
      case MessageType::kStopAndExit:
      case MessageType::kExit:
        ::_exit(0);
      default:
        return;  // no heartbeat of ours, ever
    }
  }

  void start(const StartProc& asked) {
    if (mode_ == "dies_after_hello") leave(7, "dies after Hello");
    if (mode_ == "hangs_after_hello") return;
    StartedProc started{
        .proc_id = asked.proc_id, .agent = {.proc = asked.proc_id, .name = "agent"}, .addr = {}};
    if (mode_ == "wrong_proc") started.proc_id = ProcId::ranked("somebody_else", 3);
    tell(*connection_, started);
    if (mode_ == "dies_when_running") connection_->flush([] { leave(8, "dies when running"); });
    if (mode_ == "freezes") connection_->flush([] { ::raise(SIGSTOP); });
    if (mode_ == "closes_when_running") connection_->close("enough", std::chrono::seconds(1));
    // Everything else: runs, and hears nothing.
  }

  static constexpr std::uint8_t kSideMessage = static_cast<std::uint8_t>(LinkFrame::kSide);

  const std::string mode_;
  Payload payload_;
  const ChannelAddr owner_;
  const Config config_;
  Reactor reactor_;
  std::vector<std::unique_ptr<Dial>> dials_;
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Connection> second_;
};

}  // namespace

void run_bad_child(const std::string& mode) {
  if (mode == "dies_at_once") leave(5, "dies at once");
  if (mode == "killed_at_once") ::raise(SIGKILL);
  if (mode == "hangs") hang();
  if (mode == "ignores_term") {
    ::signal(SIGTERM, SIG_IGN);
    hang();
  }
  if (mode == "frozen_at_once") ::raise(SIGSTOP);
  const auto payload = read_payload(STDIN_FILENO, Deadline::after(std::chrono::seconds(20)));
  if (!payload) leave(2, payload.error().what());
  const char* address = std::getenv(kEnvAddr);
  const auto owner = ChannelAddr::parse(address == nullptr ? "" : address);
  if (!owner) leave(3, owner.error().what());
  BadChild(mode, *payload, *owner).run();
}

}  // namespace hostmesh::payload
