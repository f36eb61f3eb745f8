#include "hostmesh/process/fork_server.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <csignal>
#include <deque>
#include <map>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/process/child_process.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/detail/fork_server_protocol.hpp"
#include "hostmesh/process/detail/packet.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/detail/spawn_error.hpp"
#include "hostmesh/process/lines.hpp"
#include "hostmesh/wire/codec.hpp"

namespace hostmesh {

using boost::asio::posix::stream_descriptor;

struct ForkServer::State : std::enable_shared_from_this<ForkServer::State> {
  struct Launch {
    std::uint64_t id = 0;
    SpawnRequest request;
    Done done;
    SpawnedProcess spawned;              // our ends of its pipes
    std::array<UniqueFd, 3> child_ends;  // until sent
  };

  State(Reactor& its_reactor, SpawnRequest its_program)
      : reactor(its_reactor), program(std::move(its_program)), socket(io_context_of(its_reactor)) {}

  void start(LaunchThread& launch_thread) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
      return end(detail::launch_error(program, "making the fork server's socket", errno));
    }
    UniqueFd ours(ends[0]);
    const auto theirs = std::make_shared<UniqueFd>(ends[1]);
    const int size = static_cast<int>(detail::kMaxPacket);
    ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    ::fcntl(ours.get(), F_SETFL, O_NONBLOCK);
    boost::system::error_code failed;
    socket.assign(ours.get(), failed);
    if (failed)
      return end(detail::launch_error(program, "watching the fork server's socket", failed.value()));
    static_cast<void>(ours.release());

    SpawnRequest request = program;
    request.environment.push_back(std::string(detail::kForkServerVariable) + "=1");
    request.stdin_mode = StdioMode::kNull;
    request.passed = {{.fd = theirs->get(), .number = detail::kForkServerFd}};
    request.parent_death_signal = SIGKILL;  // there is nothing below it to clean up
    launch_thread.launch(std::move(request),
                         [weak = weak_from_this(), theirs, &to = reactor](Result<SpawnedProcess> spawned) {
                           auto outcome = std::make_shared<Result<SpawnedProcess>>(std::move(spawned));
                           theirs->reset();
                           to.post([weak, outcome, &to] {
                             const auto self = weak.lock();
                             if (!self) {
                               if (*outcome) ChildProcess(to, std::move(**outcome), {});
                             } else if (*outcome) {
                               self->started(std::move(**outcome));
                             } else {
                               self->end(outcome->error());
                             }
                           });
                         });
  }

  void started(SpawnedProcess spawned) {
    server = std::make_unique<ChildProcess>(
        reactor, std::move(spawned),
        ChildProcess::Events{.on_output = [this](Stream, ByteView bytes) { tail.feed(bytes); },
                             .on_output_end = nullptr,
                             .on_exit =
                                 [this](const ExitStatus& status) {
                                   end(Error(ErrorInfo{.cause = Cause::kSpawnFailed,
                                                       .message = "the fork server ended",
                                                       .phase = "launch",
                                                       .command = command_text(program.argv),
                                                       .exit_status = status.text(),
                                                       .last_lines = tail.lines()}));
                                 }});
    listen();
    send_waiting();
  }

  void launch(SpawnRequest request, Done done) {
    Launch launch{.id = next_id++, .request = std::move(request), .done = std::move(done)};
    if (ended) return fail(std::move(launch), *ended);
    waiting.push_back(std::move(launch));
    if (server) send_waiting();
  }

  // Pipes are made when it is this launch's turn, so that no more are open than needed.
  int make_pipes(Launch& launch) {
    UniqueFd* const ours[] = {&launch.spawned.stdin_pipe, &launch.spawned.stdout_pipe,
                              &launch.spawned.stderr_pipe};
    for (std::size_t number = 0; number < 3; ++number) {
      std::array<int, 2> ends{};
      if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno;
      const bool child_reads = number == 0;
      launch.child_ends[number].reset(child_reads ? ends[0] : ends[1]);
      ours[number]->reset(child_reads ? ends[1] : ends[0]);
      ::fcntl(ours[number]->get(), F_SETFL, O_NONBLOCK);
    }
    return 0;
  }

  void send_waiting() {
    while (!waiting.empty() && !blocked && !ended) {
      Launch& launch = waiting.front();
      int error = launch.spawned.stdin_pipe ? 0 : make_pipes(launch);
      if (error == 0) {
        const SpawnRequest& request = launch.request;
        const auto bytes =
            wire::encode(detail::ForkRequest{.id = launch.id,
                                             .parent_death_signal = request.parent_death_signal.value_or(0),
                                             .descriptor_limit = request.restore_nofile.value_or(0),
                                             .own_group = request.group == ProcessGroup::kOwn,
                                             .working_directory = request.working_directory,
                                             .environment = request.environment});
        if (request.registry) request.registry->begin_launch();
        error = detail::send_packet(
            socket.native_handle(), bytes,
            std::array{launch.child_ends[0].get(), launch.child_ends[1].get(), launch.child_ends[2].get()});
        if (error != 0 && request.registry) request.registry->end_launch(0);
        if (error == EAGAIN) return wait_until_writable();
      }
      Launch next = std::move(launch);
      waiting.pop_front();
      next.child_ends = {};
      if (error != 0) {
        const std::string what =
            error == EMSGSIZE ? "the environment is too large for the fork server" : "asking the fork server";
        const Error why = detail::launch_error(next.request, what, error);
        fail(std::move(next), why);
      } else {
        const std::uint64_t id = next.id;
        asked.emplace(id, std::move(next));
      }
    }
  }

  void wait_until_writable() {
    blocked = true;
    socket.async_wait(stream_descriptor::wait_write,
                      [weak = weak_from_this()](const boost::system::error_code& failed) {
                        const auto self = weak.lock();
                        if (!self || failed) return;
                        self->blocked = false;
                        self->send_waiting();
                      });
  }

  void listen() {
    socket.async_wait(stream_descriptor::wait_read,
                      [weak = weak_from_this()](const boost::system::error_code& failed) {
                        const auto self = weak.lock();
                        if (self && !failed) self->receive();
                      });
  }

  void receive() {
    constexpr int kPacketsAtOnce = 64;
    for (int i = 0; i < kPacketsAtOnce && !ended; ++i) {
      detail::Packet packet = detail::receive_packet(socket.native_handle());
      if (packet.error == EAGAIN) break;
      if (packet.error != 0 || packet.bytes.empty()) return;  // its exit says why
      const auto reply = wire::decode<detail::ForkReply>(packet.bytes);
      auto launch = reply ? asked.extract(reply->id) : decltype(asked)::node_type();
      if (launch.empty()) continue;
      answer(std::move(launch.mapped()), *reply, std::move(packet));
    }
    if (!ended) listen();
  }

  // Children that were made already, and whose news nobody has read, are not lost: they are killed and
  // reaped.
  void drain(const Error& why) {
    for (;;) {
      detail::Packet packet = detail::receive_packet(socket.native_handle());
      if (packet.error != 0 || packet.bytes.empty()) return;
      const auto reply = wire::decode<detail::ForkReply>(packet.bytes);
      auto launch = reply ? asked.extract(reply->id) : decltype(asked)::node_type();
      if (launch.empty()) continue;
      Launch taken = std::move(launch.mapped());
      taken.done = [&to = reactor, done = std::move(taken.done), why](Result<SpawnedProcess> spawned) {
        if (spawned) ChildProcess(to, std::move(*spawned), {});
        to.post([done, why] { done(why); });
      };
      answer(std::move(taken), *reply, std::move(packet));
    }
  }

  void answer(Launch launch, const detail::ForkReply& reply, detail::Packet packet) {
    const auto& registry = launch.request.registry;
    if (registry) registry->end_launch(static_cast<pid_t>(reply.pid));
    // Its pidfd was lost for want of a descriptor, or it has none. It is our child, unreaped, so that its pid
    // is still its own.
    if (reply.pid != 0 && packet.fds.empty()) {
      if (UniqueFd watched = detail::open_pidfd(static_cast<pid_t>(reply.pid))) {
        packet.fds.push_back(std::move(watched));
      }
    }
    if (reply.pid != 0 && packet.fds.empty()) {
      const int error = errno;
      const auto pid = static_cast<pid_t>(reply.pid);
      const auto take = [pid] {
        ::kill(pid, SIGKILL);
        while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
        }
      };
      if (registry) {
        registry->release(pid, take);
      } else {
        take();
      }
      launch.done(detail::launch_error(launch.request, "watching a forked child", error));
      return;
    }
    if (reply.pid == 0) {
      launch.done(detail::launch_error(launch.request, "fork in the fork server", reply.error));
      return;
    }
    launch.spawned.pid = static_cast<pid_t>(reply.pid);
    launch.spawned.pidfd = std::move(packet.fds.front());
    launch.spawned.group = launch.request.group;
    launch.spawned.registry = registry;
    launch.done(std::move(launch.spawned));
  }

  void fail(Launch launch, const Error& why) {
    reactor.post([done = std::move(launch.done), why] { done(why); });
  }

  void end(const Error& why) {
    if (ended) return;
    ended = why;
    if (socket.is_open()) drain(why);
    for (auto& [id, launch] : std::exchange(asked, {})) {
      if (launch.request.registry) launch.request.registry->end_launch(0);
      fail(std::move(launch), why);
    }
    for (Launch& launch : std::exchange(waiting, {})) fail(std::move(launch), why);
  }

  Reactor& reactor;
  const SpawnRequest program;
  stream_descriptor socket;
  std::unique_ptr<ChildProcess> server;
  LineTail tail;
  std::uint64_t next_id = 1;
  std::deque<Launch> waiting;
  std::map<std::uint64_t, Launch> asked;
  bool blocked = false;
  std::optional<Error> ended;
};

ForkServer::ForkServer(Reactor& reactor, LaunchThread& launch_thread, SpawnRequest program)
    : state_(std::make_shared<State>(reactor, std::move(program))) {
  state_->start(launch_thread);
}

ForkServer::~ForkServer() {
  state_->end(Error(ErrorInfo{.cause = Cause::kCancelled,
                              .message = "not started: its owner was stopped first",
                              .phase = "launch",
                              .command = command_text(state_->program.argv)}));
  state_->server.reset();
  state_->socket.close();
}

void ForkServer::launch(SpawnRequest request, Done done) {
  state_->launch(std::move(request), std::move(done));
}

}  // namespace hostmesh
