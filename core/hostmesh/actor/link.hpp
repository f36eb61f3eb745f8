// Link: one Connection with two kinds of traffic on it: envelopes, which the router handles, and the frames
// of the bootstrap protocol, which belong to whoever made the link.
//
// Made by Router::add_link(). Reactor thread only, its destruction included. The router keeps an open one; a
// closed one lives as long as somebody holds it or a route leads through it, and still answers for itself,
// with the reason.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "hostmesh/channel/connection.hpp"

namespace hostmesh {

struct LinkOptions {
  // For errors: who is at the other end, e.g. "host 3". Empty: the connection's description.
  std::string name;
  // May be empty: then such frames are an offence that closes the link. Bytes are valid during the call only.
  std::function<void(ByteView frame)> on_side_message;
  // Once, after calls through this link were answered with kPeerGone. May be empty.
  std::function<void(const CloseReason&)> on_close;
};

class Link {
 public:
  virtual ~Link() = default;

  virtual SendResult send_side(Bytes frame, SendClass send_class = SendClass::kControl) = 0;
  virtual const std::shared_ptr<Connection>& connection() const = 0;
  virtual const std::string& name() const = 0;
  virtual bool is_open() const = 0;
  // As Connection's.
  virtual void close(std::string text, Duration flush_within) = 0;
  virtual void abort(Cause cause, std::string text) = 0;
};

}  // namespace hostmesh
