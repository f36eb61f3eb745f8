#include "hostmesh/channel/detail/local.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "hostmesh/channel/detail/byte_queue.hpp"

namespace hostmesh::detail {

namespace {

constexpr std::size_t kCapacity = 256 << 10;  // bytes on their way in one direction
constexpr std::size_t kKeep = 1 << 10;        // bytes of buffer that an idle direction may hold on to

class LocalStream;

// Lets a posted call find an endpoint, or learn that it is gone. Touched by the endpoint's reactor alone.
struct Handle {
  LocalStream* stream = nullptr;
};

struct Side {
  Reactor* reactor = nullptr;  // while there is an endpoint
  bool closed = false;
  std::weak_ptr<Handle> handle;
  ByteQueue incoming{kKeep};  // on its way to it
  bool wants_read = false;
  bool wants_write = false;
};

struct Pipe {
  std::mutex mutex;
  std::array<Side, 2> sides;
};

class LocalStream final : public Stream {
 public:
  LocalStream(std::shared_ptr<Pipe> pipe, std::size_t side, Reactor& reactor, std::string description)
      : pipe_(std::move(pipe)),
        side_(side),
        handle_(std::make_shared<Handle>(Handle{this})),
        description_(std::move(description)) {
    const std::scoped_lock lock(pipe_->mutex);
    mine().reactor = &reactor;
    mine().handle = handle_;
  }

  ~LocalStream() override {
    handle_->stream = nullptr;
    const std::scoped_lock lock(pipe_->mutex);
    close_locked(*pipe_, side_);
  }

  // The other side sees the end.
  static void close_locked(Pipe& pipe, std::size_t side) {
    pipe.sides[side].reactor = nullptr;
    pipe.sides[side].closed = true;
    pipe.sides[side].incoming = ByteQueue(kKeep);
    Side& other = pipe.sides[1 - side];
    wake(other, other.wants_read, &LocalStream::readable);
    wake(other, other.wants_write, &LocalStream::writable);
  }

  void set_events(StreamEvents* events) override { events_ = events; }

  IoResult read_some(std::span<std::uint8_t> into) override {
    const std::scoped_lock lock(pipe_->mutex);
    const std::size_t count = mine().incoming.pop(into);
    if (count > 0) {
      wake(theirs(), theirs().wants_write, &LocalStream::writable);
      return {.bytes = count};
    }
    if (theirs().closed) return {.end = true};
    return {.error = EAGAIN};
  }

  IoResult write_some(std::span<const iovec> from) override {
    const std::scoped_lock lock(pipe_->mutex);
    if (theirs().closed) return {.error = EPIPE};
    std::size_t written = 0;
    for (const iovec& piece : from) {
      const std::size_t room = kCapacity - std::min(kCapacity, theirs().incoming.size());
      const std::size_t count = std::min(room, piece.iov_len);
      theirs().incoming.push({static_cast<const std::uint8_t*>(piece.iov_base), count});
      written += count;
      if (count < piece.iov_len) break;
    }
    if (written == 0) return {.error = EAGAIN};
    wake(theirs(), theirs().wants_read, &LocalStream::readable);
    return {.bytes = written};
  }

  void await_readable() override {
    const std::scoped_lock lock(pipe_->mutex);
    mine().wants_read = true;
    const bool ready = mine().incoming.size() > 0 || theirs().closed;
    if (ready) wake(mine(), mine().wants_read, &LocalStream::readable);
  }

  void await_writable() override {
    const std::scoped_lock lock(pipe_->mutex);
    mine().wants_write = true;
    const bool ready = theirs().incoming.size() < kCapacity || theirs().closed;
    if (ready) wake(mine(), mine().wants_write, &LocalStream::writable);
  }

  std::optional<PeerCredentials> credentials() const override { return std::nullopt; }
  const std::string& description() const override { return description_; }

 private:
  Side& mine() { return pipe_->sides[side_]; }
  Side& theirs() { return pipe_->sides[1 - side_]; }
  void readable() {
    if (events_ != nullptr) events_->on_readable();
  }
  void writable() {
    if (events_ != nullptr) events_->on_writable();
  }

  // The lock is held, so the side cannot close, and its reactor cannot go away, under the post.
  static void wake(Side& side, bool& wanted, void (LocalStream::*event)()) {
    if (!std::exchange(wanted, false) || side.reactor == nullptr) return;
    side.reactor->post([weak = side.handle, event] {
      const auto handle = weak.lock();
      if (handle && handle->stream != nullptr) (handle->stream->*event)();
    });
  }

  std::shared_ptr<Pipe> pipe_;
  std::size_t side_;
  std::shared_ptr<Handle> handle_;
  StreamEvents* events_ = nullptr;
  std::string description_;
};

// The listener's end of a pipe until the listener's reactor takes it up. Lost on the way, it is closed.
class Offer {
 public:
  Offer(std::shared_ptr<Pipe> pipe, std::string description)
      : pipe_(std::move(pipe)), description_(std::move(description)) {}
  Offer(const Offer&) = delete;
  Offer& operator=(const Offer&) = delete;
  ~Offer() {
    if (!pipe_) return;
    const std::scoped_lock lock(pipe_->mutex);
    LocalStream::close_locked(*pipe_, 1);
  }
  std::unique_ptr<Stream> take(Reactor& reactor) {
    return std::make_unique<LocalStream>(std::exchange(pipe_, nullptr), 1, reactor, description_);
  }

 private:
  std::shared_ptr<Pipe> pipe_;
  std::string description_;
};

struct Acceptor {
  std::function<void(std::unique_ptr<Stream>)> on_stream;  // on its reactor only
};

struct Table {
  std::mutex mutex;
  std::uint64_t last = 0;
  struct Entry {
    Reactor* reactor;
    std::weak_ptr<Acceptor> acceptor;
  };
  std::unordered_map<std::uint64_t, Entry> entries;
};

Table& table() {
  static Table* const instance = new Table;  // never destroyed: endpoints may outlive static destruction
  return *instance;
}

class Port final : public LocalPort {
 public:
  Port(std::uint64_t number, std::shared_ptr<Acceptor> acceptor)
      : number_(number), acceptor_(std::move(acceptor)) {}
  ~Port() override {
    const std::scoped_lock lock(table().mutex);
    table().entries.erase(number_);
  }
  std::uint64_t number() const override { return number_; }

 private:
  std::uint64_t number_;
  std::shared_ptr<Acceptor> acceptor_;
};

}  // namespace

std::unique_ptr<LocalPort> listen_local(Reactor& reactor,
                                        std::function<void(std::unique_ptr<Stream>)> on_stream) {
  auto acceptor = std::make_shared<Acceptor>(Acceptor{std::move(on_stream)});
  const std::scoped_lock lock(table().mutex);
  const std::uint64_t number = ++table().last;
  table().entries.emplace(number, Table::Entry{&reactor, acceptor});
  return std::make_unique<Port>(number, std::move(acceptor));
}

Result<std::unique_ptr<Stream>> connect_local(Reactor& reactor, std::uint64_t number) {
  const std::string text = ChannelAddr::local(number).text();
  const std::scoped_lock lock(table().mutex);
  const auto found = table().entries.find(number);
  if (found == table().entries.end()) return Error(Cause::kUnroutable, "nobody listens at " + text);
  const auto pipe = std::make_shared<Pipe>();
  auto here = std::make_unique<LocalStream>(pipe, 0, reactor, text);
  Reactor& listening = *found->second.reactor;
  listening.post([&listening, weak = found->second.acceptor, offer = std::make_shared<Offer>(pipe, text)] {
    const auto acceptor = weak.lock();
    if (acceptor) acceptor->on_stream(offer->take(listening));
  });
  return std::unique_ptr<Stream>(std::move(here));
}

}  // namespace hostmesh::detail
