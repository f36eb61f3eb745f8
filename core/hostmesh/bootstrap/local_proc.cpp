#include "hostmesh/bootstrap/local_proc.hpp"

#include <csignal>
#include <string_view>
#include <utility>

#include "hostmesh/base/log.hpp"

namespace hostmesh::bootstrap {

namespace {

// How long the last words may take, and then actors that are at work.
constexpr Duration kFlushTimeout = std::chrono::seconds(1);
constexpr Duration kIdleTimeout = std::chrono::seconds(1);
constexpr std::size_t kMostDials = 64;  // at once, over all procs of an engine

std::string_view value_of(const std::vector<std::string>& environment, std::string_view name) {
  for (const std::string& entry : environment) {
    if (entry.size() > name.size() && entry[name.size()] == '=' && entry.starts_with(name)) {
      return std::string_view(entry).substr(name.size() + 1);
    }
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<LocalProc>> LocalProc::make(Node& home, ByteView bytes,
                                                   const std::vector<std::string>& environment,
                                                   Events events) {
  auto payload = unpack_payload(bytes);
  if (!payload) return payload.error();
  const auto owner = ChannelAddr::parse(value_of(environment, kEnvAddr));
  if (!owner) return owner.error();
  // All that its owner has set, and nothing of this process's environment: that is in there already.
  Config config;
  config.install_from_parent(payload->config);

  auto proc = std::make_shared<LocalProc>(home, config, std::move(events));
  // Its own: what it leaves behind is told from what its neighbours do.
  proc->node_.mark = std::string(value_of(environment, kEnvAllocation)) + "." + std::to_string(payload->rank);
  LocalProc* const self = proc.get();
  proc->end_ = std::make_shared<ChildEnd>(
      proc->node_, *std::move(payload), *owner, hooks_of_proc(proc->node_),
      ChildEnd::Events{.in_order = [self](int code) { self->end_in_order(ExitStatus::exited(code)); },
                       .at_once = [self](int code) { self->end_at_once(ExitStatus::exited(code)); },
                       .failed = [self](const Error& error) { self->fail(error); },
                       .connected = [self] { self->stop_dialling(); }});
  home.engine.local_procs.insert(proc);
  return proc;
}

LocalProc::LocalProc(Node& home, const Config& config, Events events)
    : node_(home, config), events_(std::move(events)) {}

LocalProc::~LocalProc() = default;

void LocalProc::begin() {
  if (phase_ != Phase::kRunning) return;
  if (node_.engine.local_dials >= kMostDials) return node_.engine.waiting_to_dial.push_back(weak_from_this());
  ++node_.engine.local_dials;
  is_dialling_ = true;
  end_->begin();
}

void LocalProc::stop_dialling() {
  if (!std::exchange(is_dialling_, false)) return;
  Engine& engine = node_.engine;
  --engine.local_dials;
  while (engine.local_dials < kMostDials && !engine.waiting_to_dial.empty()) {
    const auto next = engine.waiting_to_dial.front().lock();
    engine.waiting_to_dial.pop_front();
    if (next) next->begin();
  }
}

void LocalProc::signal(int number) {
  if (number == SIGKILL) return end_at_once(ExitStatus::signalled(SIGKILL, false));
  if (number == SIGTERM || number == SIGINT || number == SIGHUP) return end_in_order(ExitStatus::exited(0));
  log::debug("a proc inside this process takes no such signal number=" + std::to_string(number));
}

// Behind what is asked for in the same turn: whoever ends the lifeline may say with a signal what he means.
void LocalProc::close_lifeline() {
  node_.reactor.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->end_at_once(ExitStatus::exited(1));
  });
}

void LocalProc::abandon() {
  events_ = {};
  end_at_once(ExitStatus::signalled(SIGKILL, false));
}

void LocalProc::end_in_order(const ExitStatus& status) {
  if (phase_ != Phase::kRunning) return;
  phase_ = Phase::kStopping;
  status_ = status;
  end_->stop([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->end_at_once(self->status_);
  });
}

void LocalProc::end_at_once(const ExitStatus& status) {
  const bool killed = status == ExitStatus::signalled(SIGKILL, false);
  if (phase_ == Phase::kRunning || (killed && phase_ != Phase::kReported)) status_ = status;
  if (phase_ >= Phase::kLeaving) return;
  phase_ = Phase::kLeaving;
  // Never from inside what is about to be closed.
  node_.reactor.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->leave();
  });
}

void LocalProc::fail(const Error& error) {
  if (!failure_) failure_ = error;
  end_at_once(ExitStatus::exited(1));
}

void LocalProc::leave() {
  give_up_ = std::make_unique<Timer>(node_.reactor);
  if (status_ == ExitStatus::signalled(SIGKILL, false)) return close();
  give_up_->after(kFlushTimeout, [this] { close(); });
  end_->flush([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->node_.reactor.post([weak] {
      if (const auto still = weak.lock()) still->close();
    });
  });
}

void LocalProc::close() {
  if (std::exchange(closed_, true)) return;
  const auto keep = shared_from_this();
  node_.system.close();
  // What it started dies with its hooks.
  end_.reset();
  stop_dialling();
  give_up_->after(kIdleTimeout, [this] {
    log::warning("an actor is stuck; its proc is left behind " + log::field("mark", node_.mark));
    report();
  });
  // From a worker thread, which must not be the last to hold this.
  node_.system.workers().when_idle([weak = weak_from_this(), reactor = &node_.reactor] {
    reactor->post([weak] {
      if (const auto self = weak.lock()) self->on_idle();
    });
  });
}

void LocalProc::on_idle() {
  idle_ = true;
  if (phase_ == Phase::kReported) return forget();
  give_up_->cancel();
  if (!node_.started_processes) return report();
  node_.engine.orphans.sweep(
      node_.mark,
      [weak = weak_from_this()] {
        if (const auto self = weak.lock()) self->report();
      },
      OrphansAre::kMarked);
}

void LocalProc::report() {
  if (std::exchange(phase_, Phase::kReported) == Phase::kReported) return;
  const auto keep = shared_from_this();
  const Events events = std::exchange(events_, {});
  if (failure_) {
    if (events.on_failed) events.on_failed(*failure_);
  } else if (events.on_ended) {
    events.on_ended(status_);
  }
  if (idle_) forget();
}

// Later: this may be one of its own calls. Not kept by what is posted, which the end of the reactor would
// destroy when it is too late.
void LocalProc::forget() {
  Engine& engine = node_.engine;
  if (engine.local_procs.erase(shared_from_this()) == 0) return;
  engine.departed.push_back(shared_from_this());
  if (engine.departed.size() > 1) return;
  engine.reactor.post([&engine] { const auto gone = std::exchange(engine.departed, {}); });
}

void LocalProc::drop_all(Engine& engine) {
  std::size_t stuck = 0;
  engine.departed.clear();
  while (!engine.local_procs.empty()) {
    auto all = std::exchange(engine.local_procs, {});
    for (const auto& proc : all) {
      proc->events_ = {};
      proc->node_.system.close();
      proc->end_.reset();  // which may be the end of others
      proc->give_up_.reset();
      bool idle = false;
      proc->node_.system.workers().when_idle([&idle] { idle = true; });
      if (idle) continue;
      proc->node_.system.workers().when_idle(nullptr);
      ++stuck;
      new std::shared_ptr<LocalProc>(proc);  // an actor still uses it, for ever as it seems
    }
  }
  if (stuck > 0)
    log::warning("procs with stuck actors are left behind " + log::field("count", std::to_string(stuck)));
}

}  // namespace hostmesh::bootstrap
