#include "hostmesh/actor/table.hpp"

#include <algorithm>
#include <numeric>

namespace hostmesh {

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

void ActorTable::add_factory(std::string type_name, Factory factory) {
  const bool added = factories_.emplace(std::move(type_name), std::move(factory)).second;
  HOSTMESH_ASSERT(added, "two actors under one name in an ActorTable");
}

std::vector<std::string> ActorTable::names() const {
  std::vector<std::string> names;
  for (const auto& [name, factory] : factories_) names.push_back(name);
  return names;
}

Result<detail::TypedActor> ActorTable::make(std::string_view type_name, ByteView params) const {
  const auto found = factories_.find(type_name);
  if (found == factories_.end()) {
    std::string known;
    std::string_view nearest;
    for (const auto& [name, factory] : factories_) {
      known += (known.empty() ? "" : ", ") + name;
      if (nearest.empty() || edit_distance(name, type_name) < edit_distance(nearest, type_name))
        nearest = name;
    }
    ErrorInfo info{.cause = Cause::kInvalidArgument,
                   .message = "no actor type is named '" + std::string(type_name) + "'; this program knows " +
                              (known.empty() ? "none" : known)};
    const std::size_t distance = edit_distance(nearest, type_name);
    if (!nearest.empty() && distance <= std::max<std::size_t>(2, type_name.size() / 3)) {
      info.hint = "'" + std::string(nearest) + "'";
    }
    return Error(std::move(info));
  }
  try {
    return found->second(params);
  } catch (const std::exception& failure) {
    return Error(Cause::kRemote, "the constructor of '" + found->first + "' threw: " + failure.what());
  } catch (...) {
    return Error(Cause::kRemote, "the constructor of '" + found->first + "' threw");
  }
}

}  // namespace hostmesh
