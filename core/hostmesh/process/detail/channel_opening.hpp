// ChannelOpening: the socket behind a command's stdin and stdout, until what runs there is ready to speak.
//
// It writes the payload, skips the greeting, and gives the socket away with the first byte behind the marker
// still unread. Owned by the launcher; reactor thread only. No event comes from inside begin(); an event may
// destroy it.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <string>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/detail/marker_scan.hpp"

namespace hostmesh::detail {

class ChannelOpening : public std::enable_shared_from_this<ChannelOpening> {
 public:
  struct Events {
    std::function<void(ByteView)> on_greeting;
    std::function<void(UniqueFd)> on_open;  // last
    std::function<void()> on_hopeless;      // last: too much came, and not the marker
  };

  // `socket` does not block.
  ChannelOpening(Reactor& reactor, UniqueFd socket, Bytes payload, std::string marker, Events events);

  Result<> begin();
  // Takes in what has come already; its events may come from inside this call.
  void drain() { read(); }
  // No event comes any more.
  void close();

 private:
  void await_readable();
  void read();
  void write();
  void open_if_ready();

  boost::asio::posix::stream_descriptor socket_;
  UniqueFd unwatched_;
  Bytes payload_;
  std::size_t written_ = 0;
  MarkerScan scan_;
  Events events_;
};

}  // namespace hostmesh::detail
