// StdinWriter: the queue of bytes on their way into a child's stdin.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstddef>
#include <deque>
#include <memory>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/secret.hpp"

namespace hostmesh::detail {

// Reactor thread only. Kept by what it waits for; close() lets go of the pipe at once.
class StdinWriter : public std::enable_shared_from_this<StdinWriter> {
 public:
  StdinWriter(boost::asio::io_context& context, UniqueFd pipe);

  void write(Bytes bytes);
  void close_when_written();
  void close();
  std::size_t backlog() const { return backlog_; }

 private:
  void flush();

  boost::asio::posix::stream_descriptor pipe_;
  std::deque<Bytes> queue_;
  std::size_t written_ = 0;  // of the first in the queue
  std::size_t backlog_ = 0;
  enum class After { kMore, kClose } after_ = After::kMore;
  enum class Armed { kNo, kYes } armed_ = Armed::kNo;
};

}  // namespace hostmesh::detail
