// The two ways to ask /proc for children. For descendants.cpp and its test.
#pragma once

#include <optional>
#include <vector>

#include "hostmesh/process/descendants.hpp"

namespace hostmesh::detail {

// From the lists by thread; nothing where the kernel has none (CONFIG_PROC_CHILDREN).
std::optional<std::vector<Child>> listed_children();
// By asking every process for its parent.
std::vector<Child> children_by_parent();

}  // namespace hostmesh::detail
