// bench-floor_messages unix|tcp roundtrip|oneway COUNT [CPU]: what bench-messages does with bare Asio
// sockets: the same frames (u32 size, u8 kind, body), one buffer that gathers while a write is under way,
// reads of up to 64 KiB.
#include <boost/asio.hpp>
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "two_processes.hpp"

namespace asio = boost::asio;

namespace {

constexpr std::size_t kHeader = 5;
constexpr std::size_t kFrame = kHeader + bench::kMessageBytes;
constexpr std::size_t kQueueLimit = 4 << 20;

template <class Socket>
class Endpoint {
 public:
  Endpoint(Socket socket, std::function<void()> on_message, std::function<void()> on_drained)
      : socket_(std::move(socket)), on_message_(std::move(on_message)), on_drained_(std::move(on_drained)) {}

  void read() {
    socket_.async_read_some(asio::buffer(inbox_.data() + have_, inbox_.size() - have_),
                            [this](const boost::system::error_code& ended, std::size_t got) {
                              if (ended) ::_exit(0);
                              parse(have_ + got);
                              read();
                            });
  }

  // False when the queue is full.
  bool send() {
    if (queued_.size() >= kQueueLimit) {
      full_ = true;
      return false;
    }
    const std::size_t at = queued_.size();
    queued_.resize(at + kFrame);
    const std::uint32_t size = bench::kMessageBytes;
    std::memcpy(queued_.data() + at, &size, sizeof size);
    if (!writing_) asio::post(socket_.get_executor(), [this] { write(); });
    writing_ = true;
    return true;
  }

 private:
  void parse(std::size_t have) {
    std::size_t at = 0;
    for (; have - at >= kHeader;) {
      std::uint32_t size = 0;
      std::memcpy(&size, inbox_.data() + at, sizeof size);
      if (have - at < kHeader + size) break;
      at += kHeader + size;
      on_message_();
    }
    have_ = have - at;
    if (at > 0 && have_ > 0) std::memmove(inbox_.data(), inbox_.data() + at, have_);
  }
  void write() {
    std::swap(queued_, sent_);
    asio::async_write(socket_, asio::buffer(sent_),
                      [this](const boost::system::error_code& failed, std::size_t) {
                        if (failed) ::_exit(1);
                        sent_.clear();
                        if (full_ && queued_.size() < kQueueLimit / 2) {
                          full_ = false;
                          on_drained_();
                        }
                        writing_ = !queued_.empty();
                        if (writing_) write();
                      });
    if (full_) {
      full_ = false;
      on_drained_();
    }
  }

  Socket socket_;
  std::function<void()> on_message_, on_drained_;
  std::vector<char> inbox_ = std::vector<char>(64 << 10);
  std::size_t have_ = 0;
  std::vector<char> queued_, sent_;
  bool writing_ = false;
  bool full_ = false;
};

template <class Protocol>
[[noreturn]] void peer(const bench::MessageOptions& options, const typename Protocol::endpoint& address) {
  asio::io_context context(1);
  typename Protocol::socket socket(context);
  socket.connect(address);
  if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) socket.set_option(asio::ip::tcp::no_delay(true));
  int received = 0;
  std::unique_ptr<Endpoint<typename Protocol::socket>> end;
  end = std::make_unique<Endpoint<typename Protocol::socket>>(
      std::move(socket),
      [&] {
        ++received;
        const bool answer =
            !options.one_way || received == bench::kWarmUp || received == bench::kWarmUp + options.count;
        if (answer) end->send();
      },
      [] {});
  end->read();
  context.run();
  ::_exit(1);
}

template <class Protocol>
int run(const bench::MessageOptions& options, typename Protocol::endpoint address) {
  asio::io_context context(1);
  typename Protocol::acceptor acceptor(context, address);
  address = acceptor.local_endpoint();
  context.notify_fork(asio::execution_context::fork_prepare);
  const pid_t child = bench::fork_peer();
  if (child == 0) {
    context.notify_fork(asio::execution_context::fork_child);
    acceptor.close();
    peer<Protocol>(options, address);
  }
  context.notify_fork(asio::execution_context::fork_parent);
  auto socket = acceptor.accept();
  if constexpr (std::is_same_v<Protocol, asio::ip::tcp>) socket.set_option(asio::ip::tcp::no_delay(true));

  int left = 0;
  bool warm = false;
  double ms = 0, cpu = 0, cpu_start = 0;
  bench::Clock::time_point start;
  std::unique_ptr<Endpoint<typename Protocol::socket>> end;
  const auto send_more = [&] {
    if (!options.one_way) {
      --left;
      end->send();
      return;
    }
    while (left > 0 && end->send()) --left;
  };
  const auto begin = [&](int count) {
    left = count;
    start = bench::Clock::now();
    cpu_start = bench::cpu_ms(RUSAGE_SELF);
    send_more();
  };
  end = std::make_unique<Endpoint<typename Protocol::socket>>(
      std::move(socket),
      [&] {
        if (left > 0) return send_more();
        ms = bench::ms_since(start);
        cpu = bench::cpu_ms(RUSAGE_SELF) - cpu_start;
        if (std::exchange(warm, true)) return context.stop();
        begin(options.count);
      },
      send_more);
  end->read();
  begin(bench::kWarmUp);
  context.run();
  end.reset();
  bench::report(options, ms, child, cpu);
  ::_exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  const auto options = bench::message_options(argc, argv);
  if (options.transport == "tcp") return run<asio::ip::tcp>(options, {asio::ip::address_v4::loopback(), 0});
  const std::string name = std::string(1, '\0') + "hostmesh-bench-" + std::to_string(::getpid());
  return run<asio::local::stream_protocol>(options, {name});
}
