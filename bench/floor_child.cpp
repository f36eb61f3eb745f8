// bench-floor_child SOCKET RANK: the least that a child can be. Connects to the abstract unix socket, sends
// its Hello, takes StartProc, answers StartedProc, and lives until the connection ends. Each message is u32
// length and body.
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <boost/asio.hpp>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>

namespace asio = boost::asio;
using Stream = asio::local::stream_protocol;

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  asio::io_context context(1);
  Stream::socket socket(context);
  boost::system::error_code failed;
  socket.connect(Stream::endpoint(std::string(1, '\0') + argv[1]), failed);
  if (failed) return 1;
  std::array<char, 68> message{};
  const std::uint32_t size = 64;
  std::memcpy(message.data(), &size, sizeof size);
  const auto rank = static_cast<std::uint32_t>(std::stoul(argv[2]));
  std::memcpy(message.data() + 4, &rank, sizeof rank);

  std::array<char, 4096> inbox;
  std::function<void()> read = [&] {
    socket.async_read_some(asio::buffer(inbox), [&](const boost::system::error_code& ended, std::size_t) {
      if (ended) ::_exit(0);
      asio::async_write(socket, asio::buffer(message), [&](const boost::system::error_code&, std::size_t) {});
      read();
    });
  };
  asio::async_write(socket, asio::buffer(message), [&](const boost::system::error_code& ended, std::size_t) {
    if (ended) ::_exit(1);
    read();
  });
  context.run();
}
