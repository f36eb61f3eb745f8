// "did you mean": the known name that a mistyped one is nearest to. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostmesh {

// Insertions, deletions, replacements and swaps of neighbours, each counting 1.
std::size_t edit_distance(std::string_view a, std::string_view b);

// The nearest of `names` without regard to case, the first of several; none when nothing is near enough to be
// meant.
std::optional<std::string> nearest_name(std::string_view name, const std::vector<std::string>& names);

// "; did you mean 'process'?" or nothing.
std::string did_you_mean(std::string_view name, const std::vector<std::string>& names);

}  // namespace hostmesh
