#include "hostmesh/actor/detail/proc_core.hpp"

#include <algorithm>
#include <set>

#include "hostmesh/base/log.hpp"

namespace hostmesh::detail {

namespace {

constexpr std::size_t kIdleNames = 4096;
constexpr std::size_t kEndedPerName = 64;
constexpr std::size_t kMaxNameLength = 1024;

// A stop under way: who has not ended yet, until when.
struct StopWait : std::enable_shared_from_this<StopWait> {
  StopWait(Reactor& reactor, std::function<void(Result<>)> on_done)
      : timer(reactor), done(std::move(on_done)) {}

  void finish(Result<> result) {
    timer.cancel();
    if (const auto call = std::exchange(done, nullptr)) call(std::move(result));
  }
  void on_ended(const ActorId& actor) {
    left.erase(actor);
    if (left.empty()) finish({});
  }
  void on_deadline(Duration elapsed) {
    std::string names;
    for (const ActorId& actor : left) names += (names.empty() ? "" : ", ") + actor.text();
    finish(Error(ErrorInfo{.cause = Cause::kTimeout,
                           .message = std::to_string(left.size()) + " actor(s) had not stopped after " +
                                      to_string(elapsed) + ": " + names,
                           .phase = "stop"}));
  }

  Timer timer;
  std::function<void(Result<>)> done;
  std::set<ActorId> left;
};

}  // namespace

Result<ActorId> ProcCore::spawn(std::string name, TypedActor actor, SpawnOptions options) {
  const std::lock_guard lock(mutex_);
  if (name.empty() || name.size() > kMaxNameLength) {
    return Error(Cause::kInvalidArgument,
                 "an actor's name has 1 to " + std::to_string(kMaxNameLength) + " characters");
  }
  Named& named = names_[name];
  if (named.has_root || named.instance) {
    return Error(Cause::kInvalidArgument, "the name '" + name + "' is in use in proc " + id.text());
  }
  auto spawned = spawn_named(named, name, std::move(actor), std::move(options), nullptr);
  if (spawned) {
    named.has_root = true;
    named.root = spawned->pid;
  } else {
    maybe_idle(name, named);
  }
  return spawned;
}

Result<ActorId> ProcCore::spawn_child(const std::shared_ptr<Cell>& parent, TypedActor actor,
                                      SpawnOptions options) {
  const std::lock_guard lock(mutex_);
  return spawn_named(names_[parent->id.name], parent->id.name, std::move(actor), std::move(options), parent);
}

Result<ActorId> ProcCore::spawn_named(Named& named, const std::string& name, TypedActor&& actor,
                                      SpawnOptions&& options, const std::shared_ptr<Cell>& parent) {
  HOSTMESH_ASSERT(actor.actor && actor.type != nullptr, "spawning no actor");
  if (closed_) return Error(Cause::kCancelled, "proc " + id.text() + " is stopping: it takes no new actors");
  if (options.where == Where::kWorkers) {
    // Later there is nobody to tell that there is no thread for it.
    const auto core = system.lock();
    if (const auto ready = core ? core->workers.need_one() : Result<>(); !ready)
      return ready.error().with_phase("spawn");
  }
  const std::uint64_t pid = named.next_pid++;
  auto cell = std::make_shared<Cell>(shared_from_this(), ActorId{id, name, pid}, std::move(actor),
                                     std::move(options), parent);
  named.live.emplace(pid, cell);
  cell->start();
  return cell->id;
}

Result<std::shared_ptr<Instance>> ProcCore::add_instance(std::string name) {
  const auto core = system.lock();
  const std::lock_guard lock(mutex_);
  if (closed_ || !core)
    return Error(Cause::kCancelled, "proc " + id.text() + " is stopping: it takes no new clients");
  if (name.empty() || name.size() > kMaxNameLength) {
    return Error(Cause::kInvalidArgument,
                 "a client's name has 1 to " + std::to_string(kMaxNameLength) + " characters");
  }
  Named& named = names_[name];
  if (named.has_root || named.instance) {
    return Error(Cause::kInvalidArgument, "the name '" + name + "' is in use in proc " + id.text());
  }
  named.instance =
      std::make_shared<Instance>(core, weak_from_this(), ActorId{id, std::move(name), named.next_pid++});
  return named.instance;
}

void ProcCore::remove_instance(const Instance& instance) {
  std::shared_ptr<Instance> removed;
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(instance.id.name);
  if (found == names_.end() || found->second.instance.get() != &instance) return;
  removed = std::move(found->second.instance);
  found->second.ended.emplace(instance.id.pid, "the client has ended");
  maybe_idle(found->first, found->second);
}

// Forgets names in the order in which they fell out of use, once there are too many.
void ProcCore::maybe_idle(const std::string& name, Named& named) {
  while (named.ended.size() > kEndedPerName) named.ended.erase(named.ended.begin());
  if (!named.live.empty() || named.instance) return;
  named.idle_since = ++idle_stamp_;
  idle_.emplace_back(name, named.idle_since);
  while (idle_.size() > kIdleNames) {
    const auto oldest = names_.find(idle_.front().first);
    if (oldest != names_.end() && oldest->second.idle_since == idle_.front().second &&
        oldest->second.live.empty() && !oldest->second.instance) {
      names_.erase(oldest);
    }
    idle_.pop_front();
  }
}

void ProcCore::forget(const Cell& cell, std::string why) {
  std::shared_ptr<Cell> removed;
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(cell.id.name);
  if (found == names_.end()) return;
  Named& named = found->second;
  const auto live = named.live.find(cell.id.pid);
  if (live == named.live.end()) return;
  removed = std::move(live->second);
  named.live.erase(live);
  const bool failed = cell.state() == ActorState::kFailed;
  named.ended.emplace(cell.id.pid, failed ? "failed: " + std::move(why) : std::string("has stopped"));
  if (named.has_root && named.root == cell.id.pid) named.has_root = false;
  maybe_idle(found->first, named);
}

std::shared_ptr<Cell> ProcCore::find(const ActorId& actor) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(actor.name);
  if (found == names_.end()) return nullptr;
  const auto live = found->second.live.find(actor.pid);
  return live == found->second.live.end() ? nullptr : live->second;
}

bool ProcCore::has_ended(const ActorId& actor) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(actor.name);
  return found != names_.end() && found->second.ended.contains(actor.pid);
}

Error ProcCore::gone_error(const ActorId& actor) const {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(actor.name);
  if (found != names_.end()) {
    const auto ended = found->second.ended.find(actor.pid);
    if (ended != found->second.ended.end()) {
      return Error(Cause::kActorGone, "actor " + actor.text() + " " + ended->second);
    }
  }
  return Error(Cause::kActorGone, "there is no actor " + actor.text());
}

std::vector<std::shared_ptr<Cell>> ProcCore::children_of(const Cell& parent) const {
  std::vector<std::shared_ptr<Cell>> children;
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(parent.id.name);
  if (found == names_.end()) return children;
  for (const auto& [pid, cell] : found->second.live) {
    // Compared as owners, because a parent that is ending may be referred to by nothing but its turn.
    const bool is_child = !cell->parent.owner_before(parent.weak_from_this()) &&
                          !parent.weak_from_this().owner_before(cell->parent);
    if (is_child) children.push_back(cell);
  }
  return children;
}

std::vector<std::shared_ptr<Cell>> ProcCore::cells() const {
  std::vector<std::shared_ptr<Cell>> all;
  const std::lock_guard lock(mutex_);
  for (const auto& [name, named] : names_) {
    for (const auto& [pid, cell] : named.live) all.push_back(cell);
  }
  return all;
}

std::vector<std::shared_ptr<Cell>> ProcCore::roots() const {
  auto all = cells();
  std::erase_if(all, [](const std::shared_ptr<Cell>& cell) { return cell->parent.lock() != nullptr; });
  return all;
}

void ProcCore::deliver(PortId dest, ActorId sender, Bytes payload, ReplyToken token) {
  const auto core = system.lock();
  if (!core) return;
  std::shared_ptr<Cell> cell;
  std::shared_ptr<Instance> instance;
  {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(dest.actor.name);
    if (found != names_.end()) {
      const auto live = found->second.live.find(dest.actor.pid);
      if (live != found->second.live.end()) {
        cell = live->second;
      } else if (found->second.instance && found->second.instance->id.pid == dest.actor.pid) {
        instance = found->second.instance;
      }
    }
  }
  if (instance) {
    if (!instance->deliver(dest.port, std::move(payload))) ++core->late_port_messages;
    token.fail(Error(Cause::kProtocol, dest.actor.text() + " is a client: it answers no calls"));
    return;
  }
  Message message{dest.port, std::move(sender), std::move(payload), std::move(token)};
  if (message.token && cell) {
    // The token was made without knowing who would owe the answer.
    message.token.owe(cell);
  }
  if (cell && cell->deliver(std::move(message))) return;
  const Error gone = cell ? cell->gone_error() : gone_error(dest.actor);
  if ((dest.port & wire::kMessagePortBit) == 0) ++core->late_port_messages;
  if (message.token) {
    message.token.fail(gone);
  } else {
    core->report_undeliverable(message.sender, dest, gone);
  }
}

void ProcCore::deliver_undeliverable(const ActorId& to, const PortId& dest, const Error& why) {
  if (const auto cell = find(to)) {
    cell->push_work([message = Undeliverable{dest, why.info()}](
                        Actor& self, Context& context) { self.undeliverable(context, message); },
                    false);
  } else if (log::enabled(log::Level::kDebug)) {
    log::debug("message not delivered " + log::field("from", to.text()) + " " +
               log::field("to", dest.text()) + " " + log::field("why", why.text()));
  }
}

void ProcCore::report_unhandled(SupervisionEvent event) {
  log::error("actor failed " + log::field("actor", event.actor.text()) + " " +
             log::field("type", event.display) + " " + log::field("why", event.text));
  const auto core = system.lock();
  if (!core) return;
  core->defer([self = shared_from_this(), event = std::move(event)] {
    std::function<void(const SupervisionEvent&)> listener;
    {
      const std::lock_guard lock(self->listener_mutex);
      listener = self->on_unhandled;
    }
    if (listener) listener(event);
  });
}

void ProcCore::stop(std::vector<std::shared_ptr<Cell>> to_stop, Deadline deadline,
                    std::function<void(Result<>)> done) {
  const auto core = system.lock();
  if (!core) return;
  core->defer([core, to_stop = std::move(to_stop), deadline, done = std::move(done)]() mutable {
    const auto wait = std::make_shared<StopWait>(core->reactor, std::move(done));
    for (const auto& cell : to_stop) wait->left.insert(cell->id);
    if (to_stop.empty()) return wait->finish({});
    wait->timer.at(deadline, [weak = std::weak_ptr(wait), began = Clock::now()] {
      if (const auto alive = weak.lock()) alive->on_deadline(Clock::now() - began);
    });
    for (const auto& cell : to_stop) {
      // Holds the wait until the actor has ended, whenever that is.
      cell->request_stop([wait, actor = cell->id, weak = std::weak_ptr(core)] {
        if (const auto alive = weak.lock()) alive->defer([wait, actor] { wait->on_ended(actor); });
      });
    }
  });
}

void ProcCore::refuse_spawns() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

void ProcCore::close() {
  std::vector<std::shared_ptr<Instance>> instances;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    for (const auto& [name, named] : names_) {
      if (named.instance) instances.push_back(named.instance);
    }
  }
  for (const auto& instance : instances) {
    instance->close_all(Error(Cause::kCancelled, "proc " + id.text() + " has ended"));
  }
}

}  // namespace hostmesh::detail
