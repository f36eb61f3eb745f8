// Stream: the bytes under a connection, whatever carries them: a socket, memory, TLS over either.
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

#include "hostmesh/base/error.hpp"
#include "hostmesh/base/secret.hpp"
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
  // What was taken in part must come again with its rest first.
  virtual IoResult write_some(std::span<const iovec> from) = 0;
  // on_readable() or on_writable() follows once, when reading (writing) would not wait or has failed.
  virtual void await_readable() = 0;
  virtual void await_writable() = 0;

  virtual std::optional<PeerCredentials> credentials() const = 0;
  // More than errno tells of why reading or writing failed; Cause::kNone when there is no more to say.
  virtual Error failure() const { return Error(); }
  // The key, bound to this very stream where the stream can do that: a proof made with it is good nowhere
  // else.
  virtual Secret bind(const Secret& key) const { return key; }
  // "unix:@x (pid 12)".
  virtual const std::string& description() const = 0;
};

}  // namespace hostmesh::detail
