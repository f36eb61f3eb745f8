#include "hostmesh/process/local_launcher.hpp"

#include <unistd.h>

#include <array>
#include <map>
#include <utility>
#include <vector>

#include "hostmesh/base/log.hpp"
#include "hostmesh/process/child_process.hpp"
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
  };

  State(Reactor& on, LaunchThread& thread, Options with, Events to)
      : reactor(on), launch_thread(thread), options(std::move(with)), events(std::move(to)) {
    if (options.node.empty()) options.node = host_name();
  }

  void started(LaunchId id, SpawnedProcess spawned);
  void not_started(LaunchId id, const Error& error);
  void ended(LaunchId id, const ExitStatus& status);
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
  const pid_t pid = spawned.pid;
  child.process = std::make_unique<ChildProcess>(
      reactor, std::move(spawned),
      ChildProcess::Events{
          .on_output =
              [this, id](Stream stream, ByteView bytes) {
                if (events.on_output) {
                  const auto alive = shared_from_this();
                  events.on_output(
                      id, stream == Stream::kStdout ? OutputStream::kStdout : OutputStream::kStderr, bytes);
                }
              },
          .on_output_end = nullptr,
          .on_exit = [this, id](const ExitStatus& status) { ended(id, status); },
      });
  if (!child.stdin_payload.empty()) child.process->write_stdin(std::exchange(child.stdin_payload, {}));
  if (child.close_stdin) child.process->close_stdin();
  if (child.paused) child.process->pause_output();
  if (events.on_launched) events.on_launched(id, pid, options.node);
  if (closed) return;
  Child* const still = find(id);
  if (still == nullptr) return;
  for (const int signal_number : std::exchange(still->signals, {})) send(id, *still->process, signal_number);
}

void LocalLauncher::State::not_started(LaunchId id, const Error& error) {
  const auto self = shared_from_this();
  children.erase(id);
  if (events.on_failed) events.on_failed(id, error);
}

void LocalLauncher::State::ended(LaunchId id, const ExitStatus& status) {
  const auto self = shared_from_this();
  const auto child =
      children.extract(id);  // its process, and this event with it, lives until the end of this call
  if (events.on_exited) events.on_exited(id, status);
}

void LocalLauncher::State::send(LaunchId id, ChildProcess& process, int signal_number) {
  const auto sent = process.signal_group(signal_number);
  if (!sent) {
    log::warning("a child could not be signalled " + log::field("launch", std::to_string(id)) + " " +
                 log::field("error", sent.error().text()));
  }
}

LocalLauncher::LocalLauncher(Reactor& reactor, LaunchThread& launch_thread, Options options, Events events)
    : state_(std::make_shared<State>(reactor, launch_thread, std::move(options), std::move(events))) {}

LocalLauncher::~LocalLauncher() {
  state_->closed = true;
  state_->fork_server.reset();
  state_->children.clear();
}

void LocalLauncher::launch(LaunchId id, LaunchRequest request) {
  State::Child child;
  child.stdin_payload = std::move(request.stdin_payload);
  child.close_stdin = request.stdin_use == LaunchRequest::Stdin::kPayloadThenEof;
  const bool fresh = state_->children.emplace(id, std::move(child)).second;
  HOSTMESH_ASSERT(fresh, "a launch id was used twice");

  SpawnRequest spawn;
  spawn.argv = std::move(request.argv);
  spawn.environment = std::move(request.environment);
  spawn.working_directory = std::move(request.working_directory);
  spawn.stdin_mode = StdioMode::kPipe;
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
  if (request.start == LaunchRequest::Start::kExec) {
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
  if (child->process) child->process->close_stdin();
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
