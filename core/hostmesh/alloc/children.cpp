#include "hostmesh/alloc/children.hpp"

#include <algorithm>
#include <csignal>
#include <deque>
#include <set>
#include <unordered_map>
#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/process/early_words.hpp"
#include "hostmesh/process/lines.hpp"

namespace hostmesh {

namespace {

constexpr Duration kLongestBackoff = std::chrono::seconds(30);

}  // namespace

struct Children::Impl : std::enable_shared_from_this<Children::Impl> {
  // One child. It is its machine's hands; events to the owner are posted, so that none comes from inside a
  // call.
  struct Child final : ChildActions {
    Child(Impl& owner, ChildId its_id, ChildSpec its_spec)
        : impl(owner),
          id(its_id),
          spec(std::move(its_spec)),
          tail(spec.tail_lines),
          backoff(spec.respawn.backoff) {}

    void send_start() override {
      control->start_proc();
      // From the first heartbeat on it knows that more will follow, and what it means when none do.
      if (machine->is_carried() && spec.timing.heartbeat > Duration::zero()) control->heartbeat();
    }
    void send_stop() override {
      if (control) control->stop_and_exit(0);
    }
    void close_lifeline() override { impl.launcher->close_stdin(launch); }
    void signal(int signal_number) override { impl.launcher->signal(launch, signal_number); }
    void created() override {
      ChildCreated event{
          .create_key = ShortUuid::random(), .incarnation = incarnation, .pid = pid, .node = node};
      impl.emit([child = id, event = std::move(event)](Impl& self) { self.events.on_created(child, event); });
    }
    void running() override {
      impl.watch_heartbeats(*this);
      impl.emit([child = id](Impl& self) { self.events.on_running(child); });
    }
    void stopped(const StopReason& seen) override {
      StopReason reason = seen;
      reason.stderr_tail = tail.lines();
      const bool respawns = !stop_wanted && restarts < spec.respawn.max_restarts;
      impl.emit([child = id, reason = std::move(reason), respawns](Impl& self) {
        self.events.on_stopped(child, reason, respawns ? Events::More::kRespawn : Events::More::kNo);
      });
      if (respawns) {
        impl.respawn_later(*this);
      } else {
        impl.ended(*this);
      }
    }
    void failed(const Error& why) override {
      const Error told = impl.with_early_words(launch, why);
      impl.launch_done(*this);
      impl.ended(*this);
      const Error error = node.empty() ? told : told.with_host(node);
      impl.emit([child = id, error](Impl& self) { self.events.on_failed(child, error); });
    }

    Impl& impl;
    const ChildId id;
    const ChildSpec spec;
    LaunchId launch = 0;  // 0: not launched yet
    std::unique_ptr<ChildMachine> machine;
    std::shared_ptr<ChildControl> control;
    Incarnation incarnation = 0;
    std::uint32_t restarts = 0;
    bool stop_wanted = false;
    bool done = false;
    bool waits = false;      // its id is in `waiting`
    bool launching = false;  // counts against the limit
    bool paused = false;     // its output, over all incarnations
    std::int64_t pid = 0;
    std::string node;
    LineTail tail;
    Duration backoff;
    std::unique_ptr<Timer> respawn_timer;
    Deadline scheduled;  // its entry in `alarms`
  };

  Impl(Reactor& its_reactor, std::size_t limit, Events its_events)
      : reactor(its_reactor),
        launch_limit(std::max<std::size_t>(limit, 1)),
        events(std::move(its_events)),
        alarm(its_reactor),
        heartbeat_timer(its_reactor) {}

  // A launch that takes too long is given up here, where its launcher has not told of it.
  Error with_early_words(LaunchId launch, const Error& error) const {
    const auto* const early = dynamic_cast<const EarlyWords*>(launcher.get());
    if (early == nullptr || error.cause() != Cause::kTimeout || !error.info().last_lines.empty())
      return error;
    ErrorInfo info = error.info();
    info.last_lines = early->early_words(launch);
    return Error(std::move(info));
  }

  Child* find(ChildId id) {
    const auto found = children.find(id);
    return found == children.end() ? nullptr : found->second.get();
  }

  // The child whose present incarnation this is.
  Child* find_launch(LaunchId launch) {
    const auto found = launches.find(launch);
    Child* child = found == launches.end() ? nullptr : find(found->second);
    return child != nullptr && child->launch == launch ? child : nullptr;
  }

  // The same, for its last event.
  Child* take_launch(LaunchId launch) {
    Child* child = find_launch(launch);
    launches.erase(launch);
    if (child != nullptr) launch_done(*child);
    return child;
  }

  Child* find_live(ChildId id, Incarnation incarnation) {
    Child* child = find(id);
    return child != nullptr && child->machine && !child->done && child->incarnation == incarnation ? child
                                                                                                   : nullptr;
  }

  void emit(std::function<void(Impl&)> event) {
    pending_events.push_back(std::move(event));
    if (pending_events.size() > 1) return;
    reactor.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->deliver_events();
    });
  }

  // Output is handed on directly, since its bytes live only during the call; so what was said before goes
  // first.
  void deliver_events() {
    const auto keep = shared_from_this();
    while (!pending_events.empty() && !closed) {
      const auto event = std::move(pending_events.front());
      pending_events.pop_front();
      event(*this);
    }
  }

  // Runs `event` on the child's machine and then looks at its deadline again.
  template <class Event>
  void drive(Child& child, Event event) {
    event(*child.machine);
    schedule(child);
  }

  void schedule(Child& child) {
    const Deadline wanted = child.done ? Deadline::never() : child.machine->deadline();
    if (wanted == child.scheduled) return;
    alarms.erase({child.scheduled, child.id});
    child.scheduled = wanted;
    if (!wanted.is_never()) alarms.insert({wanted, child.id});
    arm();
  }

  // One timer for all. A later deadline than the one it is set for costs nothing: it is looked at when that
  // fires.
  void arm() {
    const Deadline next = alarms.empty() ? Deadline::never() : alarms.begin()->first;
    if (next >= armed_for) return;
    armed_for = next;
    alarm.at(next, [this] {
      armed_for = Deadline::never();
      check_deadlines();
    });
  }

  void check_deadlines() {
    const TimePoint now = Clock::now();
    while (!alarms.empty() && alarms.begin()->first.passed(now)) {
      Child& child = *children.at(alarms.begin()->second);
      alarms.erase(alarms.begin());
      child.scheduled = Deadline::never();
      drive(child, [now](ChildMachine& machine) { machine.deadline_passed(now); });
    }
    arm();
  }

  // Heartbeats go out while anybody runs who is watched for silence.
  void watch_heartbeats(const Child& child) {
    if (!child.control || child.spec.timing.heartbeat <= Duration::zero()) return;
    const Duration period = child.spec.timing.heartbeat / 3;
    if (period < heartbeat_period) set_heartbeats(period);
  }

  void set_heartbeats(Duration period) {
    heartbeat_period = period;
    heartbeat_due = Deadline::after(period);
    heartbeat_timer.at(heartbeat_due, [this] { send_heartbeats(); });
  }

  void send_heartbeats() {
    const Duration period = std::exchange(heartbeat_period, Duration::max());
    const TimePoint now = Clock::now();
    // When this very process was stopped or starved, the silence was ours: what arrived meanwhile is still
    // unread.
    const bool overslept = now - heartbeat_due.when() > period;
    for (auto& [id, child] : children) {
      if (!child->control || !child->machine || child->machine->phase() != ChildPhase::kRunning) continue;
      child->control->heartbeat();
      if (overslept) drive(*child, [now](ChildMachine& machine) { machine.heard(now); });
    }
    for (const auto& [id, child] : children) watch_heartbeats(*child);
  }

  void enqueue(Child& child) {
    child.waits = true;
    waiting.push_back(child.id);
    launch_next();
  }

  void launch_next() {
    while (launching < launch_limit && !waiting.empty()) {
      Child* child = find(waiting.front());
      waiting.pop_front();
      // One that was stopped while it waited has left its place in the queue behind, and its id may be
      // another's now.
      if (child != nullptr && !child->done && std::exchange(child->waits, false)) begin_launch(*child);
    }
  }

  void begin_launch(Child& child) {
    child.launching = true;
    ++launching;
    child.launch = next_launch++;
    launches[child.launch] = child.id;
    child.tail = LineTail(child.spec.tail_lines);
    child.pid = 0;
    child.node.clear();
    child.control.reset();
    child.machine = std::make_unique<ChildMachine>(child.spec.kind, child.spec.timing, child, Clock::now());
    if (child.spec.elsewhere) child.machine->carried();
    schedule(child);
    launcher->launch(child.launch, child.spec.request(child.incarnation));
    if (child.paused) launcher->pause_output(child.launch);
  }

  void launch_done(Child& child) {
    if (!std::exchange(child.launching, false)) return;
    --launching;
    reactor.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->launch_next();
    });
  }

  void ended(Child& child) {
    child.done = true;
    child.control.reset();
    alarms.erase({child.scheduled, child.id});
    child.scheduled = Deadline::never();
    --alive;
  }

  void respawn_later(Child& child) {
    ++child.restarts;
    ++child.incarnation;
    child.control.reset();
    child.respawn_timer = std::make_unique<Timer>(reactor);
    child.respawn_timer->after(child.backoff, [this, &child] { enqueue(child); });
    child.backoff = std::min(child.backoff * 2, kLongestBackoff);
  }

  // A child that waits for its first launch, or for its next one, has nothing that could end.
  bool not_launched(const Child& child) const {
    return !child.machine || (child.machine->ended() && !child.done);
  }

  // One in a queue leaves its place among the launches under way to others.
  void on_waiting(LaunchId launch) {
    Child* child = find_launch(launch);
    if (child == nullptr) return;
    launch_done(*child);
    drive(*child, [](ChildMachine& machine) { machine.waiting(); });
  }

  void on_placed(LaunchId launch, const std::string& node) {
    Child* child = find_launch(launch);
    if (child == nullptr) return;
    child->node = node;
    drive(*child, [](ChildMachine& machine) { machine.placed(Clock::now()); });
  }

  void on_launched(LaunchId launch, std::int64_t pid, const std::string& node) {
    Child* child = find_launch(launch);
    if (child == nullptr) {
      launcher->signal(launch, SIGKILL);
      return;
    }
    child->pid = pid;
    child->node = node;
    launch_done(*child);
    drive(*child, [](ChildMachine& machine) { machine.launched(Clock::now()); });
  }

  void on_output(LaunchId launch, Stream stream, ByteView bytes) {
    const auto keep = shared_from_this();  // an event may destroy everything
    Child* child = find_launch(launch);
    if (child == nullptr || child->machine->ended()) return;  // it was given up: its end has been told
    if (stream == Stream::kStderr) child->tail.feed(bytes);
    const ChildId id = child->id;
    deliver_events();
    if (!closed && events.on_output) events.on_output(id, stream, bytes);
  }

  void on_channel(LaunchId launch, UniqueFd socket) {
    Child* child = find_launch(launch);
    if (child == nullptr || child->machine->ended() || !events.on_channel) return;
    child->machine->carried();
    events.on_channel(child->id, std::move(socket));
  }

  void on_exited(LaunchId launch, const ExitStatus& status) {
    Child* child = take_launch(launch);
    if (child == nullptr) return;
    drive(*child, [&status](ChildMachine& machine) { machine.exited(status); });
  }

  void on_launch_failed(LaunchId launch, const Error& error) {
    Child* child = take_launch(launch);
    if (child == nullptr) return;
    drive(*child, [&error](ChildMachine& machine) { machine.launch_failed(error); });
  }

  Reactor& reactor;
  const std::size_t launch_limit;
  Events events;
  std::unique_ptr<ChildLauncher> launcher;
  std::unordered_map<ChildId, std::unique_ptr<Child>> children;
  std::unordered_map<LaunchId, ChildId> launches;
  std::deque<ChildId> waiting;  // for a free place among the launches
  std::size_t launching = 0;
  std::size_t alive = 0;
  LaunchId next_launch = 1;
  std::set<std::pair<Deadline, ChildId>> alarms;
  Deadline armed_for;
  Timer alarm;
  Timer heartbeat_timer;
  Duration heartbeat_period = Duration::max();  // that: none go out
  Deadline heartbeat_due;
  std::deque<std::function<void(Impl&)>> pending_events;
  bool closed = false;
};

Children::Children(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Children>> Children::make(Reactor& reactor, const MakeLauncher& make_launcher,
                                                 std::size_t launch_limit, Events events) {
  auto impl = std::make_shared<Impl>(reactor, launch_limit, std::move(events));
  // The launcher lives in impl and delivers nothing once it is gone, so a plain pointer is enough.
  Impl* self = impl.get();
  auto launcher = make_launcher(ChildLauncher::Events{
      .on_waiting = [self](LaunchId launch) { self->on_waiting(launch); },
      .on_placed = [self](LaunchId launch, const std::string& node) { self->on_placed(launch, node); },
      .on_launched = [self](LaunchId launch, std::int64_t pid,
                            const std::string& node) { self->on_launched(launch, pid, node); },
      .on_channel = [self](LaunchId launch, UniqueFd socket) { self->on_channel(launch, std::move(socket)); },
      .on_output = [self](LaunchId launch, Stream stream,
                          ByteView bytes) { self->on_output(launch, stream, bytes); },
      .on_exited = [self](LaunchId launch, const ExitStatus& status) { self->on_exited(launch, status); },
      .on_failed = [self](LaunchId launch, const Error& error) { self->on_launch_failed(launch, error); },
  });
  if (!launcher) return launcher.error();
  impl->launcher = *std::move(launcher);
  return std::unique_ptr<Children>(new Children(std::move(impl)));
}

Children::~Children() {
  impl_->closed = true;
  impl_->launcher.reset();
  impl_->children.clear();
  impl_->alarm.cancel();
  impl_->heartbeat_timer.cancel();
}

void Children::add(ChildId id, ChildSpec spec) {
  const auto [at, added] =
      impl_->children.emplace(id, std::make_unique<Impl::Child>(*impl_, id, std::move(spec)));
  HOSTMESH_ASSERT(added, "a child id is used twice");
  ++impl_->alive;
  impl_->enqueue(*at->second);
}

void Children::remove(ChildId id) {
  Impl::Child* child = impl_->find(id);
  if (child != nullptr && child->done) impl_->children.erase(id);
}

bool Children::hello(ChildId id, Incarnation incarnation, std::shared_ptr<ChildControl> control) {
  Impl::Child* child = impl_->find_live(id, incarnation);
  if (child == nullptr || child->control) return false;
  child->control = std::move(control);
  bool wanted = false;
  impl_->drive(*child, [&wanted](ChildMachine& machine) { wanted = machine.hello(Clock::now()); });
  if (!wanted) child->control.reset();
  return wanted;
}

void Children::started(ChildId id, Incarnation incarnation) {
  if (Impl::Child* child = impl_->find_live(id, incarnation)) {
    impl_->drive(*child, [](ChildMachine& machine) { machine.started(Clock::now()); });
  }
}

void Children::heard(ChildId id, Incarnation incarnation) {
  if (Impl::Child* child = impl_->find_live(id, incarnation)) {
    impl_->drive(*child, [](ChildMachine& machine) { machine.heard(Clock::now()); });
  }
}

void Children::disconnected(ChildId id, Incarnation incarnation, std::string_view why) {
  if (Impl::Child* child = impl_->find_live(id, incarnation)) {
    child->control.reset();
    impl_->drive(*child, [why](ChildMachine& machine) { machine.disconnected(why, Clock::now()); });
  }
}

void Children::violated(ChildId id, Incarnation incarnation, std::string_view how) {
  if (Impl::Child* child = impl_->find_live(id, incarnation)) {
    impl_->drive(*child, [how](ChildMachine& machine) { machine.violated(how, Clock::now()); });
  }
}

std::optional<Incarnation> Children::incarnation(ChildId id) const {
  const Impl::Child* child = impl_->find(id);
  if (child == nullptr || child->done || !child->machine) return std::nullopt;
  return child->incarnation;
}

void Children::stop(ChildId id, std::optional<Duration> grace) {
  Impl::Child* child = impl_->find(id);
  if (child == nullptr || child->done) return;
  child->stop_wanted = true;
  if (impl_->not_launched(*child)) {
    child->respawn_timer.reset();
    impl_->ended(*child);
    return;
  }
  impl_->drive(*child, [grace](ChildMachine& machine) { machine.stop(Clock::now(), grace); });
}

void Children::kill(ChildId id) {
  Impl::Child* child = impl_->find(id);
  if (child == nullptr || child->done) return;
  child->stop_wanted = true;
  if (impl_->not_launched(*child)) {
    child->respawn_timer.reset();
    impl_->ended(*child);
    return;
  }
  impl_->drive(*child, [](ChildMachine& machine) { machine.kill(Clock::now()); });
}

void Children::signal(ChildId id, int signal_number) {
  const Impl::Child* child = impl_->find(id);
  if (child == nullptr || child->done || !child->machine) return;
  const ChildPhase phase = child->machine->phase();
  if (phase != ChildPhase::kRunning && phase != ChildPhase::kStopping) return;
  impl_->launcher->signal(child->launch, signal_number);
}

void Children::pause_output(ChildId id) {
  Impl::Child* child = impl_->find(id);
  if (child == nullptr || std::exchange(child->paused, true)) return;
  if (child->launch != 0) impl_->launcher->pause_output(child->launch);
}

void Children::resume_output(ChildId id) {
  Impl::Child* child = impl_->find(id);
  if (child == nullptr || !std::exchange(child->paused, false)) return;
  if (child->launch != 0) impl_->launcher->resume_output(child->launch);
}

std::size_t Children::alive() const {
  return impl_->alive;
}

std::optional<ChildPhase> Children::phase(ChildId id) const {
  const Impl::Child* child = impl_->find(id);
  if (child == nullptr) return std::nullopt;
  return child->machine ? child->machine->phase() : ChildPhase::kLaunching;
}

}  // namespace hostmesh
