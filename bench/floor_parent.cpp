// bench-floor_parent CHILD N [memory|death]: spawns N times CHILD from one thread while another answers them
// over Asio, until each has sent StartedProc; then ends them by closing their connections. The line it prints
// is bench-allocate's. With `death`, it kills them one after another instead and measures until each pidfd
// says so.
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/asio.hpp>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <list>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "measure.hpp"

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;

namespace {

struct Parent {
  struct Peer {
    explicit Peer(Stream::socket its_socket) : socket(std::move(its_socket)) {}
    Stream::socket socket;
    std::array<char, 4096> inbox;
    std::array<char, 68> start{};
    int heard = 0;
  };

  explicit Parent(std::size_t its_count) : count(its_count) {
    name = "hostmesh-bench-" + std::to_string(::getpid());
    acceptor.open(Stream());
    acceptor.bind(Stream::endpoint(std::string(1, '\0') + name));
    acceptor.listen(4096);
    accept();
  }

  void accept() {
    acceptor.async_accept([this](const boost::system::error_code& failed, Stream::socket socket) {
      if (failed) return;
      peers.push_back(std::make_unique<Peer>(std::move(socket)));
      read(*peers.back());
      accept();
    });
  }

  void read(Peer& peer) {
    peer.socket.async_read_some(asio::buffer(peer.inbox),
                                [this, &peer](const boost::system::error_code& ended, std::size_t) {
                                  if (ended) return;
                                  if (++peer.heard == 1) {
                                    asio::async_write(peer.socket, asio::buffer(peer.start),
                                                      [](const boost::system::error_code&, std::size_t) {});
                                  } else if (++running == count) {
                                    context.stop();
                                    return;
                                  }
                                  read(peer);
                                });
  }

  void spawn_all(const char* child) {
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    for (std::size_t rank = 0; rank < count; ++rank) {
      const std::string number = std::to_string(rank);
      char* const argv[] = {const_cast<char*>(child), name.data(), const_cast<char*>(number.c_str()),
                            nullptr};
      pid_t pid = 0;
      if (::posix_spawn(&pid, child, nullptr, &attributes, argv, ::environ) != 0) ::_exit(1);
      pids.push_back(pid);
    }
  }

  const std::size_t count;
  asio::io_context context{1};
  Stream::acceptor acceptor{context};
  std::string name;
  std::list<std::unique_ptr<Peer>> peers;
  std::vector<pid_t> pids;
  std::size_t running = 0;
};

double death_us(pid_t pid) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  const auto start = bench::Clock::now();
  ::kill(pid, SIGKILL);
  pollfd wanted{.fd = pidfd, .events = POLLIN, .revents = 0};
  ::poll(&wanted, 1, -1);
  ::waitpid(pid, nullptr, 0);
  const double us = bench::ms_since(start) * 1e3;
  ::close(pidfd);
  return us;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string extra = argc > 3 ? argv[3] : "";
  Parent parent(std::stoul(argv[2]));
  const double cpu_before = bench::cpu_ms(RUSAGE_SELF);
  const auto start = bench::Clock::now();
  // Lives on while the children do: their parent-death signal follows this thread.
  std::atomic<bool> leave = false;
  std::thread spawner([&] {
    parent.spawn_all(argv[1]);
    leave.wait(false);
  });
  parent.context.run();
  const double up = bench::ms_since(start);
  const double parent_up = bench::cpu_ms(RUSAGE_SELF) - cpu_before;

  if (extra == "death") {
    std::vector<double> us;
    for (const pid_t pid : parent.pids) us.push_back(death_us(pid));
    std::printf("death_us=%.1f\n", bench::median(us));
  } else {
    std::string memory;
    if (extra == "memory") {
      bench::Memory used;
      for (const pid_t pid : parent.pids) used.add(pid);
      memory = " " + used.text();
    }
    const double parent_before = bench::cpu_ms(RUSAGE_SELF);
    const auto stop = bench::Clock::now();
    parent.peers.clear();
    for (const pid_t pid : parent.pids) ::waitpid(pid, nullptr, 0);
    const double down = bench::ms_since(stop);
    std::printf(
        "up_ms=%.3f down_ms=%.3f parent_up_cpu_ms=%.2f parent_down_cpu_ms=%.2f children_cpu_ms=%.2f%s\n", up,
        down, parent_up, bench::cpu_ms(RUSAGE_SELF) - parent_before, bench::cpu_ms(RUSAGE_CHILDREN),
        memory.c_str());
  }
  leave = true;
  leave.notify_one();
  spawner.join();
  return 0;
}
