// The text in which people read who is in which state: "Running=0..1,3..4;Stopped=1..3".
#pragma once

#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "hostmesh/shape/overlay.hpp"
#include "hostmesh/shape/runs.hpp"
#include "hostmesh/shape/value_mesh.hpp"

namespace hostmesh {

// Each value's text once, in the order of its first rank, with all its ranks as half-open intervals.
template <class T, class ToText>
std::string ranked_text(const Runs<T>& runs, ToText to_text) {
  std::vector<std::pair<std::string, std::string>> groups;  // value, intervals
  std::unordered_map<std::string, std::size_t> position;
  for (const auto& piece : runs.pieces()) {
    std::string value = to_text(piece.value);
    const auto [found, is_new] = position.try_emplace(value, groups.size());
    if (is_new) groups.emplace_back(std::move(value), "");
    std::string& intervals = groups[found->second].second;
    if (!intervals.empty()) intervals += ',';
    intervals += interval_text(piece.begin, piece.end);
  }
  std::string text;
  for (const auto& [value, intervals] : groups) {
    if (!text.empty()) text += ';';
    text += value + "=" + intervals;
  }
  return text;
}

// For values that have a text().
template <class T>
std::string ranked_text(const Runs<T>& runs) {
  return ranked_text(runs, [](const T& value) { return value.text(); });
}
template <class T>
std::string ranked_text(const ValueMesh<T>& mesh) {
  return ranked_text(mesh.runs());
}
template <class T>
std::string ranked_text(const ValueOverlay<T>& overlay) {
  return ranked_text(overlay.runs());
}

}  // namespace hostmesh
