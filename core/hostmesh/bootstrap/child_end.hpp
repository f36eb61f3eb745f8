// ChildEnd: the child's end of the bootstrap protocol, the same in a process of its own and inside another.
//
// It says Hello to its owner, becomes what StartProc says, answers heartbeats, and reaches other members of
// its allocation. When and how the child ends is for whoever made it. Reactor thread only.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/bootstrap/child.hpp"
#include "hostmesh/bootstrap/messages.hpp"
#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/channel/stdio.hpp"

namespace hostmesh::bootstrap {

class ChildEnd : public std::enable_shared_from_this<ChildEnd> {
 public:
  // What becomes of the child as the protocol has it. Each end may come more than once, and not from inside
  // begin().
  struct Events {
    std::function<void(int code)> in_order;  // stop what runs here first
    std::function<void(int code)> at_once;
    std::function<void(const Error&)> failed;  // it cannot become a proc
    std::function<void()> connected;           // not an end: it has reached its owner. May be empty
  };

  // Over `stdio`, when it is there, or else at `owner`. `node` and what `hooks` refer to outlive it.
  ChildEnd(Node& node, Payload payload, ChannelAddr owner, ChildHooks hooks, Events events,
           std::optional<StdioEnds> stdio = std::nullopt);
  ~ChildEnd();
  ChildEnd(const ChildEnd&) = delete;
  ChildEnd& operator=(const ChildEnd&) = delete;

  void begin();
  // Stops what runs here, then calls `done`, perhaps inside this call.
  void stop(std::function<void()> done);
  // `done` when what was said so far is on its way, perhaps inside this call.
  void flush(std::function<void()> done);

 private:
  template <class M>
  void tell(const M& message) {
    link_->send_side(pack(message), SendClass::kControl);
  }
  // Listening there; not a valid address: nowhere.
  void begin_at(const Result<ChannelAddr>& address);
  void on_connected(const Hello& hello, std::shared_ptr<Connection> connection);
  void on_message(ByteView bytes);
  void start_proc(const StartProc& start);
  void heard_owner();
  void watch_owner();
  void wait_for_owner(Duration limit, Deadline until);
  void dial_peers_with(const Secret& secret);

  Node& node_;
  const Payload payload_;
  const ChannelAddr owner_;
  const ChildHooks hooks_;
  const Events events_;
  std::optional<StdioEnds> stdio_;  // until it is dialled over
  const bool is_carried_;
  const std::string owner_text_;  // for messages
  ChannelAddr addr_;              // where it listens
  std::unique_ptr<Dial> dial_;
  std::map<std::uint64_t, std::unique_ptr<Dial>> peer_dials_;
  std::uint64_t next_peer_dial_ = 0;
  std::shared_ptr<Link> link_;
  Proc* proc_ = nullptr;
  // Only where the connection is carried by others, whose end may never be told here.
  std::unique_ptr<Timer> silence_;
  TimePoint last_heard_{};
};

}  // namespace hostmesh::bootstrap
