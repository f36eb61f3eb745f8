#include "hostmesh/shape/ranks_text.hpp"

namespace hostmesh {

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

}  // namespace hostmesh
