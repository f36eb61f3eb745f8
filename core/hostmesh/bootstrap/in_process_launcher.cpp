#include "hostmesh/bootstrap/in_process_launcher.hpp"

#include <unistd.h>

#include <utility>

#include "hostmesh/bootstrap/local_proc.hpp"

namespace hostmesh::bootstrap {

struct InProcessLauncher::State : std::enable_shared_from_this<InProcessLauncher::State> {
  State(Node& its_home, Events to) : home(its_home), events(std::move(to)) {}

  LocalProc* find(LaunchId id) {
    const auto found = procs.find(id);
    return found == procs.end() ? nullptr : found->second.get();
  }

  // Behind this call, unless the launcher has gone by then.
  void later(std::function<void(State&)> work) {
    home.reactor.post([weak = weak_from_this(), work = std::move(work)] {
      const auto state = weak.lock();
      if (state && !state->closed) work(*state);
    });
  }

  void launched(LaunchId id) {
    if (events.on_launched) events.on_launched(id, ::getpid(), node);
    if (LocalProc* proc = closed ? nullptr : find(id)) proc->begin();
  }
  void ended(LaunchId id, const ExitStatus& status) {
    const auto keep = shared_from_this();
    procs.erase(id);
    if (events.on_exited) events.on_exited(id, status);
  }
  void failed(LaunchId id, const Error& error) {
    const auto keep = shared_from_this();
    procs.erase(id);
    if (events.on_failed) events.on_failed(id, error);
  }

  Node& home;
  const Events events;
  const std::string node = node_name();
  std::unordered_map<LaunchId, std::shared_ptr<LocalProc>> procs;
  bool closed = false;
};

InProcessLauncher::InProcessLauncher(Node& home, Events events)
    : state_(std::make_shared<State>(home, std::move(events))) {}

InProcessLauncher::~InProcessLauncher() {
  state_->closed = true;
  for (const auto& [id, proc] : std::exchange(state_->procs, {})) proc->abandon();
}

void InProcessLauncher::launch(LaunchId id, LaunchRequest request) {
  const std::weak_ptr<State> weak = state_;
  auto made = LocalProc::make(state_->home, request.stdin_payload, request.environment,
                              {.on_ended =
                                   [weak, id](const ExitStatus& status) {
                                     if (const auto state = weak.lock()) state->ended(id, status);
                                   },
                               .on_failed =
                                   [weak, id](const Error& error) {
                                     if (const auto state = weak.lock()) state->failed(id, error);
                                   }});
  if (!made) {
    return state_->later([id, why = made.error()](State& state) { state.failed(id, why); });
  }
  state_->procs.emplace(id, *std::move(made));
  state_->later([id](State& state) { state.launched(id); });
}

void InProcessLauncher::signal(LaunchId id, int signal_number) {
  if (LocalProc* proc = state_->find(id)) proc->signal(signal_number);
}

void InProcessLauncher::close_stdin(LaunchId id) {
  if (LocalProc* proc = state_->find(id)) proc->close_lifeline();
}

}  // namespace hostmesh::bootstrap
