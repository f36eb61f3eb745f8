#include "hostmesh/process/detail/stdin_writer.hpp"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <utility>

namespace hostmesh::detail {

namespace {

// write() without the SIGPIPE that a closed pipe would send to this thread: a library cannot ask its program
// to ignore that signal. Returns what write() does, with errno.
ssize_t write_quietly(int fd, const std::uint8_t* data, std::size_t size) {
  sigset_t sigpipe;
  sigset_t former;
  sigset_t pending;
  ::sigemptyset(&sigpipe);
  ::sigaddset(&sigpipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &sigpipe, &former);
  ::sigpending(&pending);
  const ssize_t count = ::write(fd, data, size);
  const int error = errno;
  if (count < 0 && error == EPIPE && ::sigismember(&pending, SIGPIPE) == 0) {
    const timespec no_time{};
    while (::sigtimedwait(&sigpipe, nullptr, &no_time) < 0 && errno == EINTR) {
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &former, nullptr);
  errno = error;
  return count;
}

}  // namespace

StdinWriter::StdinWriter(boost::asio::io_context& context, UniqueFd pipe) : pipe_(context) {
  if (!pipe) return;
  boost::system::error_code failed;
  pipe_.assign(pipe.get(), failed);
  if (!failed) static_cast<void>(pipe.release());
}

void StdinWriter::write(Bytes bytes) {
  if (!pipe_.is_open() || after_ == After::kClose || bytes.empty()) return;
  backlog_ += bytes.size();
  queue_.push_back(std::move(bytes));
  flush();
}

void StdinWriter::close_when_written() {
  after_ = After::kClose;
  flush();
}

void StdinWriter::close() {
  boost::system::error_code ignored;
  pipe_.close(ignored);
  queue_.clear();
  written_ = 0;
  backlog_ = 0;
}

void StdinWriter::flush() {
  // A child that reads as fast as we write must not keep the reactor here.
  constexpr int kWritesAtOnce = 16;
  if (!pipe_.is_open() || armed_ == Armed::kYes) return;
  for (int i = 0; i < kWritesAtOnce && !queue_.empty(); ++i) {
    const Bytes& first = queue_.front();
    const ssize_t count =
        write_quietly(pipe_.native_handle(), first.data() + written_, first.size() - written_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return close();  // nobody reads any more
    written_ += static_cast<std::size_t>(count);
    backlog_ -= static_cast<std::size_t>(count);
    if (written_ < first.size()) continue;
    queue_.pop_front();
    written_ = 0;
  }
  if (queue_.empty()) {
    if (after_ == After::kClose) close();
    return;
  }
  armed_ = Armed::kYes;
  pipe_.async_wait(boost::asio::posix::stream_descriptor::wait_write,
                   [self = shared_from_this()](const boost::system::error_code& failed) {
                     self->armed_ = Armed::kNo;
                     if (!failed) self->flush();
                   });
}

}  // namespace hostmesh::detail
