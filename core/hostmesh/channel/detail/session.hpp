// Session: a stream of bytes that outlives the connections which carry it, for tcp, where the end of a
// connection is not the death of the peer.
//
// What is written is kept until the peer has said that it arrived. When the connection breaks, the dialler
// connects again and both sides go on where the other stopped hearing: nothing is lost, nothing comes twice.
// A session without a connection ends after the grace period. Reactor thread only.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/channel/detail/handshake_messages.hpp"
#include "hostmesh/channel/detail/limits.hpp"
#include "hostmesh/channel/detail/stream.hpp"
#include "hostmesh/channel/dial.hpp"
#include "hostmesh/channel/peer.hpp"

namespace hostmesh::detail {

// An attempt to connect again, under way; destruction ends it.
using Redial = std::function<std::unique_ptr<Dial>(
    const SessionName& name, Deadline deadline, std::function<void(Result<std::unique_ptr<Stream>>)> done)>;

class SessionCore;

// The sessions that peers may come back to. One per listener.
class SessionTable {
 public:
  // Whether `claim` began this session and it is not over.
  bool knows(const SessionName& name, const PeerClaim& claim) const;
  // Goes on over `stream`, in place of what carried the session so far.
  void resume(const SessionName& name, const PeerClaim& claim, std::unique_ptr<Stream> stream);

 private:
  friend std::unique_ptr<Stream> accepted_session(Reactor&, std::unique_ptr<Stream>, const SessionName&,
                                                  const PeerClaim&, const Limits&, SessionTable&);
  struct Entry {
    PeerClaim claim;
    std::weak_ptr<SessionCore> core;
  };
  std::unordered_map<std::string, Entry> entries_;
};

// The dialler's end, over its first connection.
std::unique_ptr<Stream> dialled_session(Reactor& reactor, std::unique_ptr<Stream> first,
                                        const SessionName& name, const Limits& limits, Redial redial);
// The listener's.
std::unique_ptr<Stream> accepted_session(Reactor& reactor, std::unique_ptr<Stream> first,
                                         const SessionName& name, const PeerClaim& claim,
                                         const Limits& limits, SessionTable& table);

}  // namespace hostmesh::detail
