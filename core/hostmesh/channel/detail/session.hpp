// Session: a stream of bytes that outlives the connections which carry it, for tcp, where the end of a
// connection is not the death of the peer.
//
// What is written is kept until the peer has said that it was taken. When the connection breaks, the dialler
// connects again and both sides go on where the other stopped: nothing is lost, nothing comes twice. Each
// side speaks when it has nothing to say, so that a connection which only seems to be there breaks too.
// Reactor thread only.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/channel/detail/session_core.hpp"
#include "hostmesh/channel/peer.hpp"

namespace hostmesh::detail {

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
