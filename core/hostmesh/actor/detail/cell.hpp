// Cell: one actor with its queue and its life cycle.
//
//   running --stop requested--> stopping --queue drained, children ended--> ended (stopped)
//      \------------------ anything thrown, in either ------------------> ended (failed)
//
// Owned by its proc until it has ended, and by the turn that runs. The queue is reached from any thread; the
// actor, its context and its ports in its turns only, which never overlap.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <variant>
#include <vector>

#include "hostmesh/actor/context.hpp"
#include "hostmesh/actor/detail/core.hpp"
#include "hostmesh/actor/detail/token_state.hpp"

namespace hostmesh::detail {

struct Message {
  std::uint64_t port = 0;
  ActorId sender;
  Bytes payload;
  ReplyToken token;
};

struct Cell : std::enable_shared_from_this<Cell> {
  using Work = std::function<void(Actor&, Context&)>;
  struct Stop {};
  using Item = std::variant<Message, Work, Stop>;
  using RawReceiver = std::function<Result<>(ByteView)>;
  struct Port {
    std::shared_ptr<RawReceiver> receiver;
    bool once = false;
  };

  Cell(std::shared_ptr<ProcCore> in, ActorId as, TypedActor actor, SpawnOptions options,
       const std::shared_ptr<Cell>& parent);
  ~Cell();

  // Any thread.
  void start();
  // False when the actor takes no more messages; `message` is then untouched.
  bool deliver(Message&& message);
  // Dropped when the actor has ended. Urgent work goes before all that is queued.
  void push_work(Work work, bool urgent);
  // `ended` runs once the actor has ended, on whatever thread that happens, or now.
  void request_stop(std::function<void()> ended);
  ActorState state() const;
  std::size_t queued() const;
  // Why it takes no more messages: kActorGone.
  Error gone_error() const;
  // Takes the token of a call whose handler dropped it without an answer.
  void answer_dropped(std::unique_ptr<ReplyToken::State> token);

  // When the system ends: destroys the actor, unless it is in a turn that nobody can wait for.
  void shut_down();

  // In its turns only.
  std::uint64_t open_port(RawReceiver receiver, bool once);
  Result<ActorId> spawn_child(TypedActor actor, SpawnOptions options);

  const std::weak_ptr<SystemCore> system;
  const std::weak_ptr<ProcCore> proc;
  const ActorId id;
  const Where where;
  const SpawnOptions::OnException on_exception;
  const ActorType* const type;
  const std::optional<PortRef<SupervisionEvent>> owner;
  const std::weak_ptr<Cell> parent;

  // In its turns only.
  std::unique_ptr<Actor> actor;
  Context context;
  ActorId sender;
  std::map<std::uint64_t, Port> ports;
  std::uint64_t next_port = 1024;

 private:
  void turn();
  void schedule();
  bool enqueue(Item&& item, bool urgent);
  bool execute(Item item);
  void handle(Message message);
  void stop_children();
  void finish_stop();
  void end(SupervisionEvent::Kind kind, const std::string& text);
  void tell_owner(SupervisionEvent::Kind kind, const std::string& text);
  void answer_dropped_now(const std::optional<Error>& why);

  mutable std::mutex mutex_;
  std::deque<Item> urgent_;
  std::deque<Item> queue_;
  bool scheduled_ = false;
  ActorState state_ = ActorState::kRunning;
  std::string end_text_;
  std::vector<std::function<void()>> when_ended_;

  // In its turns only.
  bool initialised_ = false;
  bool stop_reached_ = false;
  std::size_t children_left_ = 0;
  std::vector<std::unique_ptr<ReplyToken::State>> dropped_;
  std::atomic<std::thread::id> turn_thread_{};
};

}  // namespace hostmesh::detail
