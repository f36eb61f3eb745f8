// Stream: the bytes under a connection, whatever carries them: a socket, memory, later TLS.
//
// Reads and writes never wait; readiness is asked for once at a time. Owned by a handshake, then by a
// connection; reactor thread only. After destruction nothing is called any more, and the peer sees the end.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "hostmesh/channel/peer.hpp"

namespace hostmesh::detail {

// Whom a stream tells; called from the reactor only. May destroy the stream.
class StreamEvents {
 public:
  virtual void on_readable() = 0;
  virtual void on_writable() = 0;

 protected:
  ~StreamEvents() = default;
};

struct IoResult {
  std::size_t bytes = 0;
  int error = 0;     // errno; EAGAIN when it would have to wait
  bool end = false;  // reading: the peer sends no more
};

class Stream {
 public:
  virtual ~Stream() = default;

  // The events must outlive the stream or the next set_events().
  virtual void set_events(StreamEvents* events) = 0;
  virtual IoResult read_some(std::span<std::uint8_t> into) = 0;
  virtual IoResult write_some(std::span<const iovec> from) = 0;
  // on_readable() or on_writable() follows once, when reading (writing) would not wait or has failed.
  virtual void await_readable() = 0;
  virtual void await_writable() = 0;

  virtual std::optional<PeerCredentials> credentials() const = 0;
  // "unix:@x (pid 12)".
  virtual const std::string& description() const = 0;
};

}  // namespace hostmesh::detail
