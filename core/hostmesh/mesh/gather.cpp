#include "hostmesh/mesh/gather.hpp"

namespace hostmesh {

void refuse_on_reactor(const Client& client, std::string_view what) {
  if (client.on_reactor()) {
    throw Error(Cause::kInternal, std::string(what) + " waits and was called on the reactor thread");
  }
}

std::string ranks_text(const std::vector<Rank>& sorted_ranks) {
  constexpr std::size_t kMostPieces = 12;
  std::string text;
  std::size_t pieces = 0;
  for (std::size_t i = 0; i < sorted_ranks.size();) {
    std::size_t end = i + 1;
    while (end < sorted_ranks.size() && sorted_ranks[end] == sorted_ranks[end - 1] + 1) ++end;
    if (++pieces > kMostPieces) return text + " and " + std::to_string(sorted_ranks.size() - i) + " more";
    if (!text.empty()) text += ", ";
    text += std::to_string(sorted_ranks[i]);
    if (end - i > 1) text += "-" + std::to_string(sorted_ranks[end - 1]);
    i = end;
  }
  return text;
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
