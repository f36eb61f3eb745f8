// SystemCore: what the pieces of one ActorSystem share, and the one door through which other threads reach
// its reactor.
//
// Owned by the ActorSystem; everything that may outlive that (replies, actors on stuck threads) holds it
// weakly. After close() nothing enters any more.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <variant>
#include <vector>

#include "hostmesh/actor/proc.hpp"
#include "hostmesh/actor/router.hpp"
#include "hostmesh/actor/table.hpp"
#include "hostmesh/actor/worker_pool.hpp"
#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"

namespace hostmesh::detail {

class LinkImpl;

// Where the answer to a call goes: to a link, under the number that its other end gave, or to this system's
// own table.
struct CallOrigin {
  std::weak_ptr<LinkImpl> link;
  bool from_link = false;
  std::uint64_t call = 0;
};

using CallDone = std::function<void(Result<Bytes>)>;

struct Post {
  Envelope envelope;
  SendClass send_class;
};
struct Call {
  PortId dest;
  ActorId sender;
  Bytes payload;
  SendClass send_class;
  Deadline deadline;
  CallDone done;
};
struct Answer {
  CallOrigin origin;
  EnvelopeKind kind;
  Bytes payload;
};
using Errand = std::variant<Post, Call, Answer, std::function<void()>>;

struct SystemCore : std::enable_shared_from_this<SystemCore> {
  SystemCore(Reactor& on, const Config& config, ActorTable actors);
  SystemCore(Reactor& on, const Config& config, const SystemCore& home);
  ~SystemCore();

  // Any thread. In order for each thread; on the reactor thread at once, after what others left before. After
  // close() calls end with kCancelled and all else is dropped.
  void run(Errand errand);
  // Any thread: runs on the reactor, never inside this call.
  void defer(std::function<void()> work);
  void close(const Error& ended);
  // After close(), when no turn runs any more.
  void drop_procs();

  std::shared_ptr<ProcCore> find_proc(const ProcId& id) const;
  // Tells the sender of a kSend, if there is still one here or elsewhere. Reactor thread only.
  void report_undeliverable(const ActorId& sender, const PortId& dest, const Error& why);

  Reactor& reactor;
  const std::uint8_t ttl;
  const std::shared_ptr<const ActorTable> table;
  WorkerPool workers;

  std::atomic<std::uint64_t> late_replies{0};
  std::atomic<std::uint64_t> late_port_messages{0};
  std::atomic<std::uint64_t> undeliverable{0};
  std::atomic<std::uint64_t> undecodable{0};
  std::atomic<std::uint64_t> forwarded{0};
  std::atomic<std::uint64_t> calls_outstanding{0};

  mutable std::mutex procs_mutex;
  std::unordered_map<ProcId, std::unique_ptr<Proc>> procs;

  Router router;  // last: it is gone before what it uses

 private:
  void drain();
  void perform(Errand errand);

  std::mutex mutex_;
  std::vector<Errand> errands_;
  bool drain_posted_ = false;
  bool draining_ = false;  // reactor thread only
  bool closed_ = false;
  std::unordered_map<ProcId, std::unique_ptr<Proc>> closed_procs_;  // what turns that are under way may use
};

}  // namespace hostmesh::detail
