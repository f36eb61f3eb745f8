#include "hostmesh/actor/detail/cell.hpp"

#include "hostmesh/actor/detail/proc_core.hpp"
#include "hostmesh/base/log.hpp"

namespace hostmesh::detail {

namespace {

// Items of one turn; then others get theirs.
constexpr int kBatch = 32;

std::string describe(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& known) {
    return known.what();
  } catch (...) {
    return "it threw something that is not a std::exception";
  }
}

}  // namespace

Cell::Cell(std::shared_ptr<ProcCore> in, ActorId as, TypedActor typed, SpawnOptions options,
           const std::shared_ptr<Cell>& parent_cell)
    : system(in->system),
      proc(in),
      id(std::move(as)),
      where(options.where),
      on_exception(options.on_exception),
      type(typed.type),
      owner(std::move(options.owner)),
      parent(parent_cell),
      actor(std::move(typed.actor)),
      context(*this) {}

Cell::~Cell() = default;

void Cell::start() {
  const std::lock_guard lock(mutex_);
  if (std::exchange(scheduled_, true)) return;
  schedule();
}

void Cell::schedule() {
  const auto core = system.lock();
  if (!core) return;
  auto run = [self = shared_from_this()] { self->turn(); };
  if (where == Where::kReactor) {
    core->defer(std::move(run));
  } else {
    core->workers.submit(std::move(run));
  }
}

bool Cell::enqueue(Item&& item, bool urgent) {
  const std::lock_guard lock(mutex_);
  const bool is_message = std::holds_alternative<Message>(item);
  if (state_ != ActorState::kRunning && (is_message || state_ != ActorState::kStopping)) return false;
  (urgent ? urgent_ : queue_).push_back(std::move(item));
  if (!std::exchange(scheduled_, true)) schedule();
  return true;
}

bool Cell::deliver(Message&& message) {
  Item item(std::move(message));
  if (enqueue(std::move(item), false)) return true;
  message = std::get<Message>(std::move(item));
  return false;
}

void Cell::push_work(Work work, bool urgent) {
  enqueue(Item(std::move(work)), urgent);
}

void Cell::request_stop(std::function<void()> ended) {
  {
    const std::lock_guard lock(mutex_);
    if (state_ == ActorState::kRunning || state_ == ActorState::kStopping) {
      if (ended) when_ended_.push_back(std::move(ended));
      if (state_ == ActorState::kStopping) return;
      state_ = ActorState::kStopping;
      queue_.emplace_back(Stop{});
      if (!std::exchange(scheduled_, true)) schedule();
      return;
    }
  }
  if (ended) ended();
}

ActorState Cell::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::size_t Cell::queued() const {
  const std::lock_guard lock(mutex_);
  return queue_.size() + urgent_.size();
}

Error Cell::gone_error() const {
  const std::lock_guard lock(mutex_);
  switch (state_) {
    case ActorState::kFailed:
      return Error(Cause::kActorGone, "actor " + id.text() + " failed: " + end_text_);
    case ActorState::kStopped:
      return Error(Cause::kActorGone, "actor " + id.text() + " has stopped");
    default:
      return Error(Cause::kActorGone, "actor " + id.text() + " is stopping");
  }
}

void Cell::turn() {
  turn_thread_ = std::this_thread::get_id();
  bool alive = actor != nullptr;
  if (alive && !std::exchange(initialised_, true)) {
    alive = execute(Work([](Actor& self, Context& self_context) { self.init(self_context); }));
  }
  for (int n = 0; alive && n < kBatch; ++n) {
    std::unique_lock lock(mutex_);
    auto& next = urgent_.empty() ? queue_ : urgent_;
    if (next.empty()) {
      turn_thread_ = std::thread::id();
      scheduled_ = false;
      return;
    }
    Item item = std::move(next.front());
    next.pop_front();
    lock.unlock();
    alive = execute(std::move(item));
  }
  turn_thread_ = std::thread::id();
  if (alive) schedule();
}

// False when the actor has ended.
bool Cell::execute(Item item) {
  std::optional<std::string> failure;
  std::optional<Error> answer;
  try {
    if (auto* message = std::get_if<Message>(&item)) {
      handle(std::move(*message));
    } else if (auto* work = std::get_if<Work>(&item)) {
      (*work)(*actor, context);
    } else {
      stop_children();
    }
  } catch (...) {
    if (std::holds_alternative<Message>(item) && on_exception == SpawnOptions::OnException::kEndsMessage) {
      answer = error_of_exception("actor " + id.text() + " could not do what it was asked for", "",
                                  Cause::kRemote);
      log::error("a request failed " + log::field("sender", sender.text()) + " " +
                 log::field("why", answer->text()));
    } else {
      failure = describe(std::current_exception());
    }
  }
  sender = ActorId();
  // What a continuation captured is the actor's, and may hold replies.
  try {
    item = Stop{};
  } catch (...) {
    if (!failure) failure = describe(std::current_exception());
  }
  if (failure) end(SupervisionEvent::Kind::kFailed, *failure);
  answer_dropped_now(answer);
  return actor != nullptr;
}

void Cell::handle(Message message) {
  const auto core = system.lock();
  if (!core) return;
  sender = std::move(message.sender);
  const auto malformed = [&](const Error& error) {
    ++core->undecodable;
    log::warning("message refused " + log::field("actor", id.text()) + " " +
                 log::field("sender", sender.text()) + " " + log::field("why", error.text()));
    message.token.fail(error);
  };
  if ((message.port & wire::kMessagePortBit) != 0) {
    for (const MessageHandler& handler : type->handlers) {
      if (handler.port != message.port) continue;
      const Result<> handled = handler.invoke(*actor, context, message.payload, message.token);
      if (!handled) malformed(handled.error());
      return;
    }
    std::string handled;
    for (const MessageHandler& handler : type->handlers) {
      handled += (handled.empty() ? "" : ", ") + std::string(handler.message);
    }
    const Error error(Cause::kProtocol, "actor " + id.text() + " (" + std::string(type->name) +
                                            ") does not handle message port " + std::to_string(message.port) +
                                            ", only " + (handled.empty() ? "none" : handled));
    if (message.token) return malformed(error);
    ++core->undecodable;
    core->run([core, from = sender, dest = PortId{id, message.port}, error] {
      core->report_undeliverable(from, dest, error);
    });
    return;
  }
  const auto found = ports.find(message.port);
  if (found == ports.end()) {
    ++core->late_port_messages;
    message.token.fail(Error(Cause::kActorGone, "the port is closed: " + PortId{id, message.port}.text()));
    return;
  }
  const Port port = found->second;
  if (port.once) ports.erase(found);
  const Result<> taken = (*port.receiver)(message.payload);
  if (!taken) return malformed(taken.error());
  message.token.fail(Error(Cause::kProtocol, "a port answers no calls: " + PortId{id, message.port}.text()));
}

void Cell::answer_dropped(std::unique_ptr<ReplyToken::State> token) {
  if (turn_thread_.load() == std::this_thread::get_id()) {
    dropped_.push_back(std::move(token));
    return;
  }
  const ActorState now = state();
  ReplyToken left(std::move(token));
  left.fail(now == ActorState::kFailed || now == ActorState::kStopped
                ? gone_error()
                : Error(Cause::kRemote, "actor " + id.text() + " dropped the call without an answer"));
}

void Cell::answer_dropped_now(const std::optional<Error>& why) {
  while (!dropped_.empty()) {
    const auto dropped = std::move(dropped_);
    dropped_.clear();
    for (const auto& state : dropped) {
      ReplyToken left(std::make_unique<ReplyToken::State>(*state));
      left.fail(why ? *why
                    : Error(Cause::kRemote, "actor " + id.text() + " dropped the call without an answer"));
    }
  }
}

std::uint64_t Cell::open_port(RawReceiver receiver, bool once) {
  const std::uint64_t port = next_port++;
  ports.emplace(port, Port{std::make_shared<RawReceiver>(std::move(receiver)), once});
  return port;
}

Result<ActorId> Cell::spawn_child(TypedActor child, SpawnOptions options) {
  const auto home = proc.lock();
  if (!home || stop_reached_)
    return Error(Cause::kCancelled, "actor " + id.text() + " is stopping: no new children");
  return home->spawn_child(shared_from_this(), std::move(child), std::move(options));
}

void Cell::stop_children() {
  stop_reached_ = true;
  std::vector<std::shared_ptr<Cell>> children;
  if (const auto home = proc.lock()) children = home->children_of(*this);
  if (children.empty()) return finish_stop();
  children_left_ = children.size();
  for (const auto& child : children) {
    child->request_stop([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->push_work(
          [raw = self.get()](Actor&, Context&) {
            if (--raw->children_left_ == 0) raw->finish_stop();
          },
          true);
    });
  }
}

void Cell::finish_stop() {
  actor->stopping(context);
  end(SupervisionEvent::Kind::kStopped, "stopped");
}

void Cell::end(SupervisionEvent::Kind kind, const std::string& text) {
  std::deque<Item> items;
  std::vector<std::function<void()>> waiting;
  {
    const std::lock_guard lock(mutex_);
    state_ = kind == SupervisionEvent::Kind::kFailed ? ActorState::kFailed : ActorState::kStopped;
    end_text_ = text;
    items.swap(queue_);
    for (Item& item : urgent_) items.push_back(std::move(item));
    urgent_.clear();
    waiting.swap(when_ended_);
  }
  const Error gone = gone_error();
  const auto core = system.lock();
  const auto home = proc.lock();
  if (home) home->forget(*this, text);
  for (Item& item : items) {
    auto* message = std::get_if<Message>(&item);
    if (message == nullptr) continue;
    if (message->token) {
      message->token.fail(gone);
    } else if (core) {
      core->run([core, from = std::move(message->sender), dest = PortId{id, message->port}, gone] {
        core->report_undeliverable(from, dest, gone);
      });
    }
  }
  items.clear();
  ports.clear();
  actor.reset();
  answer_dropped_now(gone);
  if (kind == SupervisionEvent::Kind::kFailed && home) {
    for (const auto& child : home->children_of(*this)) child->request_stop(nullptr);
  }
  tell_owner(kind, text);
  for (const auto& each : waiting) each();
}

void Cell::shut_down() {
  std::deque<Item> items;
  std::deque<Item> urgent;
  {
    const std::lock_guard lock(mutex_);
    if (state_ == ActorState::kFailed || state_ == ActorState::kStopped) return;
    state_ = ActorState::kStopped;
    items.swap(queue_);
    urgent.swap(urgent_);
  }
  if (turn_thread_.load() != std::thread::id()) return;
  ports.clear();
  actor.reset();
}

void Cell::tell_owner(SupervisionEvent::Kind kind, const std::string& text) {
  const auto core = system.lock();
  const auto home = proc.lock();
  if (!core || !home) return;
  SupervisionEvent event{id, id.local_text() + " (" + std::string(type->name) + ")", kind, text};
  if (owner) {
    if (kind == SupervisionEvent::Kind::kFailed) {
      log::info("actor failed " + log::field("actor", id.text()) + " " + log::field("why", text));
    }
    core->run(Post{
        Envelope{
            .kind = EnvelopeKind::kSend, .dest = owner->id(), .sender = id, .payload = wire::encode(event)},
        SendClass::kControl});
    return;
  }
  const auto above = parent.lock();
  if (above) {
    above->push_work(
        [raw = above.get(), event](Actor& self, Context& self_context) {
          if (!raw->stop_reached_) return self.handle_supervision(self_context, event);
          if (event.kind == SupervisionEvent::Kind::kFailed) {
            log::warning("a child failed while its parent was stopping " +
                         log::field("actor", event.actor.text()) + " " + log::field("why", event.text));
          }
        },
        true);
    return;
  }
  if (kind == SupervisionEvent::Kind::kFailed) home->report_unhandled(std::move(event));
}

}  // namespace hostmesh::detail
