#include "hostmesh/channel/detail/connection_service.hpp"

#include <utility>

namespace hostmesh::detail {

boost::asio::execution_context::id ConnectionService::id;

ConnectionService::ConnectionService(boost::asio::execution_context& context)
    : boost::asio::execution_context::service(context),
      read_buffer_(std::make_unique_for_overwrite<std::uint8_t[]>(kReadBuffer)) {}

ConnectionService& ConnectionService::of(Reactor& reactor) {
  return boost::asio::use_service<ConnectionService>(io_context_of(reactor));
}

void ConnectionService::keep(std::shared_ptr<void> what) {
  if (over_) return;
  const void* const address = what.get();
  kept_.emplace(address, std::move(what));
}

void ConnectionService::release(const void* what) {
  kept_.erase(what);
}

// What is kept may release itself while it is destroyed.
void ConnectionService::shutdown() {
  over_ = true;
  const auto dropped = std::exchange(kept_, {});
}

}  // namespace hostmesh::detail
