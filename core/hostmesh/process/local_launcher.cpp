#include "hostmesh/process/local_launcher.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "hostmesh/base/log.hpp"
#include "hostmesh/process/child_process.hpp"
#include "hostmesh/process/detail/channel_opening.hpp"
#include "hostmesh/process/fork_server.hpp"
#include "hostmesh/process/spawn.hpp"

namespace hostmesh {

namespace {

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

}  // namespace

struct LocalLauncher::State : std::enable_shared_from_this<LocalLauncher::State> {
  // What is asked of a child before it exists is kept and done as soon as it does.
  struct Child {
    std::unique_ptr<ChildProcess> process;  // null while it is being started
    Bytes stdin_payload;
    bool close_stdin = false;
    bool paused = false;
    std::vector<int> signals;
    // Where the launch begins with a marker.
    bool is_launched = false;
    std::optional<detail::MarkerScan> scan;  // its stdout is output
    std::string marker;
    std::shared_ptr<detail::ChannelOpening> opening;  // its stdout is a channel that is not open yet
    UniqueFd channel;                                 // a duplicate
    std::string hopeless;                             // why the marker is not awaited any more
  };

  State(Reactor& on, LaunchThread& thread, Options with, Events to)
      : reactor(on), launch_thread(thread), options(std::move(with)), events(std::move(to)) {
    if (options.node.empty()) options.node = host_name();
  }

  void started(LaunchId id, SpawnedProcess spawned);
  void not_started(LaunchId id, const Error& error);
  void launched(LaunchId id);
  void on_output(LaunchId id, Stream stream, ByteView bytes);
  Result<> open_channel(LaunchId id, Child& child, UniqueFd socket);
  void give_up(LaunchId id, std::string why);
  void ended(LaunchId id, const ExitStatus& status);
  static void close_stdin(Child& child);
  void send(LaunchId id, ChildProcess& process, int signal_number);
  Child* find(LaunchId id) {
    const auto found = children.find(id);
    return found == children.end() ? nullptr : &found->second;
  }

  Reactor& reactor;
  LaunchThread& launch_thread;
  Options options;
  Events events;
  std::unique_ptr<ForkServer> fork_server;  // made by the first launch that wants it
  std::map<LaunchId, Child> children;
  bool closed = false;
};

void LocalLauncher::State::started(LaunchId id, SpawnedProcess spawned) {
  const auto self = shared_from_this();  // an event may destroy the launcher
  Child& child = children.at(id);
  UniqueFd socket = std::move(spawned.stdio_socket);
  child.process = std::make_unique<ChildProcess>(
      reactor, std::move(spawned),
      ChildProcess::Events{
          .on_output = [this, id](Stream stream, ByteView bytes) { on_output(id, stream, bytes); },
          .on_output_end = nullptr,
          .on_exit = [this, id](const ExitStatus& status) { ended(id, status); },
      },
      AtExit{.drain = options.drain, .grace = options.grace});
  if (socket) {
    if (const auto opened = open_channel(id, child, std::move(socket)); !opened) {
      give_up(id, opened.error().text());
    }
  }
  if (!child.stdin_payload.empty()) child.process->write_stdin(std::exchange(child.stdin_payload, {}));
  if (child.close_stdin) close_stdin(child);
  if (child.paused) child.process->pause_output();
  if (!child.scan && !child.opening && child.hopeless.empty()) launched(id);
  if (closed) return;
  Child* const still = find(id);
  if (still == nullptr) return;
  for (const int signal_number : std::exchange(still->signals, {})) send(id, *still->process, signal_number);
}

void LocalLauncher::State::launched(LaunchId id) {
  Child& child = children.at(id);
  child.is_launched = true;
  if (events.on_launched) events.on_launched(id, child.process->pid(), options.node);
}

void LocalLauncher::State::on_output(LaunchId id, Stream stream, ByteView bytes) {
  const auto self = shared_from_this();
  const auto pass = [&](ByteView piece) {
    if (events.on_output && !piece.empty()) events.on_output(id, stream, piece);
  };
  Child* const child = find(id);
  if (child == nullptr || stream != Stream::kStdout || !child->scan || child->scan->found()) {
    return pass(bytes);
  }
  const auto behind = child->scan->feed(bytes);
  if (!behind) {
    if (child->scan->is_hopeless()) return give_up(id, "more than 64 KiB came on its stdout, and no marker");
    return pass(bytes);
  }
  launched(id);
  if (!closed) pass(bytes.subspan(*behind));
}

Result<> LocalLauncher::State::open_channel(LaunchId id, Child& child, UniqueFd socket) {
  child.channel.reset(::fcntl(socket.get(), F_DUPFD_CLOEXEC, 3));
  if (!child.channel) return os_error(Cause::kResourceLimit, "duplicating a command's stdin", errno);
  child.opening = std::make_shared<detail::ChannelOpening>(
      reactor, std::move(socket), std::exchange(child.stdin_payload, {}), std::move(child.marker),
      detail::ChannelOpening::Events{
          .on_greeting = [this, id](ByteView bytes) { on_output(id, Stream::kStdout, bytes); },
          .on_open =
              [this, id](UniqueFd open) {
                const auto self = shared_from_this();
                launched(id);
                if (closed || !events.on_channel) return;
                events.on_channel(id, std::move(open));
              },
          .on_hopeless = [this, id] { give_up(id, "more than 64 KiB came on its stdout, and no marker"); }});
  return child.opening->begin();
}

// Its end follows, and is told as the reason says.
void LocalLauncher::State::give_up(LaunchId id, std::string why) {
  Child* const child = find(id);
  if (child == nullptr || !child->hopeless.empty()) return;
  child->hopeless = std::move(why);
  if (child->process) send(id, *child->process, SIGKILL);
}

void LocalLauncher::State::close_stdin(Child& child) {
  if (child.channel) {
    ::shutdown(child.channel.get(), SHUT_WR);
  } else {
    child.process->close_stdin();
  }
}

void LocalLauncher::State::not_started(LaunchId id, const Error& error) {
  const auto self = shared_from_this();
  children.erase(id);
  if (events.on_failed) events.on_failed(id, error);
}

void LocalLauncher::State::ended(LaunchId id, const ExitStatus& status) {
  const auto self = shared_from_this();
  if (Child* const ending = find(id); ending != nullptr && ending->opening) {
    ending->opening->drain();
    if (closed) return;
  }
  const auto child =
      children.extract(id);  // its process, and this event with it, lives until the end of this call
  if (child.empty()) return;
  if (child.mapped().opening) child.mapped().opening->close();
  if (!child.mapped().is_launched && !child.mapped().hopeless.empty()) {
    if (!events.on_failed) return;
    return events.on_failed(
        id, Error(ErrorInfo{.cause = Cause::kSpawnFailed, .message = child.mapped().hopeless}));
  }
  if (events.on_exited) events.on_exited(id, status);
}

void LocalLauncher::State::send(LaunchId id, ChildProcess& process, int signal_number) {
  const auto sent = process.signal_group(signal_number);
  if (sent) return;
  const bool is_strangers = sent.error().info().os_error == EPERM;
  log::warning(std::string(is_strangers
                               ? "a child has become another user's and can be ended by that user or root "
                                 "alone "
                               : "a child could not be signalled ") +
               log::field("launch", std::to_string(id)) + " " + log::field("error", sent.error().text()));
}

LocalLauncher::LocalLauncher(Reactor& reactor, LaunchThread& launch_thread, Options options, Events events)
    : state_(std::make_shared<State>(reactor, launch_thread, std::move(options), std::move(events))) {}

LocalLauncher::~LocalLauncher() {
  state_->closed = true;
  state_->fork_server.reset();
  for (auto& [id, child] : state_->children) {
    if (child.opening) child.opening->close();
  }
  state_->children.clear();
}

void LocalLauncher::launch(LaunchId id, LaunchRequest request) {
  State::Child child;
  child.stdin_payload = std::move(request.stdin_payload);
  const bool is_channel = request.stdout_use == LaunchRequest::Stdout::kChannel;
  child.close_stdin = !is_channel && request.stdin_use == LaunchRequest::Stdin::kPayloadThenEof;
  if (is_channel) {
    child.marker = std::move(request.marker);
  } else if (!request.marker.empty()) {
    child.scan.emplace(std::move(request.marker));
  }
  const bool fresh = state_->children.emplace(id, std::move(child)).second;
  HOSTMESH_ASSERT(fresh, "a launch id was used twice");

  SpawnRequest spawn;
  spawn.argv = std::move(request.argv);
  spawn.environment = std::move(request.environment);
  spawn.working_directory = std::move(request.working_directory);
  spawn.stdin_mode = is_channel ? StdioMode::kSocket : StdioMode::kPipe;
  if (is_channel) spawn.stdout_mode = StdioMode::kSocket;
  if (request.stderr_use == LaunchRequest::Stderr::kWithStdout) spawn.stderr_mode = StdioMode::kStdout;
  if (request.folder_use == LaunchRequest::Folder::kPreferred)
    spawn.working_directory_is = WorkingDirectory::kPreferred;
  spawn.parent_death_signal = state_->options.parent_death_signal;
  spawn.restore_nofile = state_->options.descriptor_limit;
  spawn.registry = state_->options.registry;
  const auto done = [weak = std::weak_ptr(state_), &reactor = state_->reactor,
                     id](Result<SpawnedProcess> spawned) {
    auto outcome = std::make_shared<Result<SpawnedProcess>>(std::move(spawned));
    reactor.post([weak, &reactor, id, outcome] {
      const auto state = weak.lock();
      if (!state || state->closed) {
        // Too late: killed here, and reaped by the reactor without waiting.
        if (*outcome) ChildProcess(reactor, std::move(**outcome), {});
      } else if (*outcome) {
        state->started(id, std::move(**outcome));
      } else {
        state->not_started(id, outcome->error());
      }
    });
  };
  if (request.start == LaunchRequest::Start::kExec || is_channel) {
    state_->launch_thread.launch(std::move(spawn), done);
    return;
  }
  if (!state_->fork_server) {
    state_->fork_server = std::make_unique<ForkServer>(state_->reactor, state_->launch_thread, spawn);
  }
  state_->fork_server->launch(std::move(spawn), done);
}

void LocalLauncher::signal(LaunchId id, int signal_number) {
  State::Child* const child = state_->find(id);
  if (child == nullptr) return;
  if (child->process) {
    state_->send(id, *child->process, signal_number);
  } else {
    child->signals.push_back(signal_number);
  }
}

void LocalLauncher::close_stdin(LaunchId id) {
  State::Child* const child = state_->find(id);
  if (child == nullptr) return;
  child->close_stdin = true;
  if (child->process) state_->close_stdin(*child);
}

void LocalLauncher::pause_output(LaunchId id) {
  State::Child* const child = state_->find(id);
  if (child == nullptr) return;
  child->paused = true;
  if (child->process) child->process->pause_output();
}

void LocalLauncher::resume_output(LaunchId id) {
  State::Child* const child = state_->find(id);
  if (child == nullptr) return;
  child->paused = false;
  if (child->process) child->process->resume_output();
}

}  // namespace hostmesh
