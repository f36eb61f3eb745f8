// ConnectionService: what the connections of one reactor share. Part of its io_context, so it ends with it.
#pragma once

#include <array>
#include <boost/asio/execution_context.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>

#include "hostmesh/base/detail/reactor_impl.hpp"

namespace hostmesh::detail {

class ConnectionService final : public boost::asio::execution_context::service {
 public:
  static boost::asio::execution_context::id id;
  explicit ConnectionService(boost::asio::execution_context& context);
  static ConnectionService& of(Reactor& reactor);

  // Keeps something alive until it is released, or the reactor ends.
  void keep(std::shared_ptr<void> what);
  void release(const void* what);

  // Where a connection reads into for the length of one call; so an idle one needs no buffer.
  std::span<std::uint8_t> read_buffer() { return {read_buffer_.get(), kReadBuffer}; }

 private:
  static constexpr std::size_t kReadBuffer = 64 << 10;
  void shutdown() override;

  bool over_ = false;
  std::unordered_map<const void*, std::shared_ptr<void>> kept_;
  std::unique_ptr<std::uint8_t[]> read_buffer_;
};

}  // namespace hostmesh::detail
