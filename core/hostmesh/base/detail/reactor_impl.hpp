// The Asio side of Reactor, for the .cpp files of channel/ and process/. Never in a public header.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "hostmesh/base/reactor.hpp"

namespace hostmesh {

struct Reactor::Impl {
  boost::asio::io_context context{1};
  std::atomic<std::thread::id> thread{};
  std::mutex doing_mutex;
  std::string doing;
  std::function<void(const Error&)> failed;
};

inline boost::asio::io_context& io_context_of(Reactor& reactor) {
  return reactor.impl().context;
}

}  // namespace hostmesh
