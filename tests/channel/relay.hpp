// A relay between diallers and a listener, on a thread of its own: the network, and what goes wrong in it.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <list>
#include <random>
#include <thread>
#include <vector>

#include "channel/support.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/channel/detail/socket.hpp"

namespace hostmesh::test {

// Stands between diallers and a listener and passes bytes on, until it is told otherwise.
class Relay {
 public:
  explicit Relay(const ChannelAddr& listener) : listener_(listener) {
    auto socket = detail::new_socket(listener);
    const auto address = detail::socket_address(ChannelAddr::any(Transport::kTcp));
    if (::bind(socket->get(), address->get(), address->size) != 0 || ::listen(socket->get(), 16) != 0) {
      throw Error(Cause::kIo, "no socket between");
    }
    addr_ = *detail::socket_name(socket->get(), detail::SocketEnd::kLocal);
    accepting_ = *std::move(socket);
    int ends[2];
    if (::pipe2(ends, O_NONBLOCK | O_CLOEXEC) != 0) throw Error(Cause::kIo, "no pipe");
    wake_read_.reset(ends[0]);
    wake_write_.reset(ends[1]);
  }
  ~Relay() {
    stopping_ = true;
    wake();
    if (thread_.joinable()) thread_.join();
  }
  // Cuts `cuts` connections, each after a random number of bytes; those after them live on.
  void run(unsigned seed, int cuts) {
    cuts_left_ = cuts;
    random_.seed(seed);
    thread_ = std::thread([this] { serve(); });
  }
  void cut_all() {
    cut_now_ = true;
    wake();
  }
  // Cuts, and goes on cutting whoever comes.
  void refuse_all() {
    refusing_ = true;
    cut_all();
  }
  // Nothing passes, and nobody is told: what the connections of now are for good, all that come until pass().
  void fall_silent() {
    const int before = silences_.get();
    silent_ = true;
    silence_now_ = true;
    wake();
    EXPECT_TRUE(silences_.wait([before](int silences) { return silences > before; }));
  }
  void pass() {
    silent_ = false;
    wake();
  }
  // The diallers of now hear nothing any more; what they say still passes.
  void deafen_diallers() {
    deafen_now_ = true;
    wake();
  }
  // Ends the listener's leg of each connection and leaves the dialler's, which hears nothing any more.
  enum class Cut : std::uint8_t { kFin, kRst };
  void cut_listener_legs(Cut how) {
    rude_ = how == Cut::kRst;
    halve_now_ = true;
    wake();
  }
  // As the kernel does when the listener's process dies: the connections end, and nobody listens.
  void die() {
    stopping_ = true;
    wake();
    thread_.join();
    pairs_.clear();
    accepting_.reset();
  }
  const ChannelAddr& addr() const { return addr_; }
  int cuts_left() const { return cuts_left_; }
  // How many connections it ever passed on.
  int taken() { return taken_.get(); }
  [[nodiscard]] bool wait_taken(int count) {
    return taken_.wait([count](int taken) { return taken >= count; });
  }

 private:
  struct Pair {
    UniqueFd near;
    UniqueFd far;
    std::size_t left;  // bytes until it is cut
    bool limited;
    bool silent = false;
    bool deaf = false;
  };

  void wake() { (void)!::write(wake_write_.get(), "", 1); }

  void serve() {
    while (!stopping_) {
      // A negative descriptor is passed over.
      std::vector<pollfd> all{{silent_ ? -1 : accepting_.get(), POLLIN, 0}, {wake_read_.get(), POLLIN, 0}};
      for (const Pair& pair : pairs_) {
        all.push_back({pair.silent ? -1 : pair.near.get(), POLLIN, 0});
        all.push_back({pair.silent || pair.deaf ? -1 : pair.far.get(), POLLIN, 0});
      }
      if (::poll(all.data(), all.size(), -1) < 0) continue;
      if (all[1].revents != 0) {
        char byte = 0;
        while (::read(wake_read_.get(), &byte, 1) > 0) {
        }
      }
      std::size_t at = 2;
      for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
        const bool lives = (all[at].revents == 0 || pass(*pair, pair->near, pair->far)) &&
                           (all[at + 1].revents == 0 || pass(*pair, pair->far, pair->near));
        pair = lives ? std::next(pair) : pairs_.erase(pair);
      }
      if (cut_now_.exchange(false)) pairs_.clear();
      if (silence_now_.exchange(false)) {
        for (Pair& pair : pairs_) pair.silent = true;
        silences_.change([](int& silences) { ++silences; });
      }
      if (halve_now_.exchange(false)) {
        for (Pair& pair : pairs_) {
          if (rude_) reset_at_close(pair.far);
          pair.far.reset();
          pair.silent = true;
        }
      }
      if (deafen_now_.exchange(false)) {
        for (Pair& pair : pairs_) pair.deaf = true;
      }
      if (all[0].revents != 0) accept();
    }
  }

  void accept() {
    UniqueFd near(::accept4(accepting_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!near || refusing_) return;
    auto far = detail::new_socket(listener_);
    const auto address = detail::socket_address(listener_);
    ::fcntl(far->get(), F_SETFL, 0);
    if (::connect(far->get(), address->get(), address->size) != 0) return;
    const int on = 1;
    for (const UniqueFd* socket : {&near, &*far}) {
      ::setsockopt(socket->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    taken_.change([](int& taken) { ++taken; });
    const bool limited = cuts_left_ > 0;
    pairs_.push_back({std::move(near), *std::move(far), 1 + random_() % 40'000, limited});
  }

  bool pass(Pair& pair, const UniqueFd& from, const UniqueFd& to) {
    std::array<std::uint8_t, 8192> buffer;
    const ssize_t count = ::recv(from.get(), buffer.data(), buffer.size(), 0);
    if (count <= 0) return false;
    std::size_t size = static_cast<std::size_t>(count);
    const bool cut = pair.limited && size >= pair.left;
    if (cut) size = pair.left;
    pair.left -= pair.limited ? size : 0;
    (void)::send(to.get(), buffer.data(), size, MSG_NOSIGNAL);
    if (!cut) return true;
    --cuts_left_;
    if (random_() % 2 == 0) {  // the rude way
      reset_at_close(pair.near);
      reset_at_close(pair.far);
    }
    return false;
  }

  static void reset_at_close(const UniqueFd& socket) {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }

  ChannelAddr listener_;
  ChannelAddr addr_;
  UniqueFd accepting_;
  UniqueFd wake_read_;
  UniqueFd wake_write_;
  std::list<Pair> pairs_;
  std::mt19937 random_;
  std::atomic<int> cuts_left_ = 0;
  std::atomic<bool> stopping_ = false;
  Watched<int> taken_;
  Watched<int> silences_;
  std::atomic<bool> cut_now_ = false;
  std::atomic<bool> silence_now_ = false;
  std::atomic<bool> silent_ = false;
  std::atomic<bool> deafen_now_ = false;
  std::atomic<bool> halve_now_ = false;
  std::atomic<bool> rude_ = false;
  std::atomic<bool> refusing_ = false;
  std::thread thread_;
};

}  // namespace hostmesh::test
