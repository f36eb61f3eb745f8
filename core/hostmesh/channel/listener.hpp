// Listener: accepts connections at one address and lets through only peers that proved their key.
//
// Owned by whoever listens; reactor thread only. A peer that does not finish its handshake correctly, in
// time, within 4 KiB, or as one too many, is closed with a reason and hurts nobody else.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "hostmesh/base/config.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/channel/addr.hpp"
#include "hostmesh/channel/connection.hpp"

namespace hostmesh {

struct ListenOptions {
  // How this process is known; sent to every peer, at most 1024 bytes.
  std::string identity;
  // The key that this claim must be proved with; an error refuses it. Called on the reactor, before the proof
  // is known to be good: it must have no effects.
  std::function<Result<Secret>(const PeerClaim&)> key_of;
  // tcp: the numeric address under which others reach this listener, if it is not the one that is bound; the
  // port is the same. Empty: the bound one.
  std::string advertise;
  // A peer was turned away: why, and who as far as is known ("unix pid 12"). May be empty.
  std::function<void(const Error& why, const std::string& who)> on_refused;
};

class Listener {
 public:
  // Takes its limits from CODEC_MAX_FRAME_LENGTH, HANDSHAKE_TIMEOUT and MAX_HALF_OPEN. A path socket left
  // behind by a process that is gone is replaced; one that somebody listens at is not. local: only number 0
  // can be asked for.
  static Result<std::unique_ptr<Listener>> listen(
      Reactor& reactor, const ChannelAddr& addr, ListenOptions options, const Config& config,
      std::function<void(std::shared_ptr<Connection>)> on_connection);
  // Stops listening and drops peers in their handshake; connections live on, but those that break cannot come
  // back. Unlinks the path socket that it made. May be called from within its callbacks.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // What to give to others: number and port filled in, the advertised address in place of the bound one.
  const ChannelAddr& addr() const;

  std::uint64_t accepted() const;    // handshakes that succeeded
  std::uint64_t refused() const;     // all others
  std::size_t half_open() const;     // in their handshake now
  std::string last_refusal() const;  // why the last one was refused; empty when none was

  struct Impl;

 private:
  explicit Listener(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh
