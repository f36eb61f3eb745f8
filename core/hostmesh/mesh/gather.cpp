#include "hostmesh/mesh/gather.hpp"

namespace hostmesh {

void refuse_on_reactor(const Client& client, std::string_view what) {
  if (client.on_reactor()) {
    throw Error(Cause::kInternal, std::string(what) + " waits and was called on the reactor thread");
  }
}

Error error_of_ranks(std::string_view phase, const std::vector<std::pair<Rank, Error>>& failures,
                     std::uint64_t total) {
  HOSTMESH_ASSERT(!failures.empty(), "an error of no ranks");
  const Error& first = failures.front().second;
  ErrorInfo info = first.with_rank(failures.front().first).with_phase(std::string(phase)).info();
  if (failures.size() > 1) {
    std::vector<Rank> ranks;
    for (const auto& [rank, error] : failures) ranks.push_back(rank);
    info.message += " (the first of " + std::to_string(failures.size()) + " failures among " +
                    std::to_string(total) + " ranks: " + ranks_text(ranks) + ")";
  }
  return Error(std::move(info));
}

}  // namespace hostmesh
