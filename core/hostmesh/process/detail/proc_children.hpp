// The ways to find out who is a child. For descendants.cpp and its test.
#pragma once

#include <optional>
#include <vector>

#include "hostmesh/process/descendants.hpp"

namespace hostmesh::detail {

// The children of one thread of this process. Nothing, with errno set, when the list could not be read.
std::optional<std::vector<pid_t>> listed_children_of(pid_t thread);
// From the lists by thread. Nothing where the kernel has none (CONFIG_PROC_CHILDREN), or where not all of
// them could be read.
std::optional<std::vector<Child>> listed_children();
// By asking /proc of every process for its parent. Nothing where not all could be asked.
std::optional<std::vector<Child>> children_by_parent();
// By a ChildSearch, once round.
std::vector<Child> searched_children();

// The children that can be seen; or, where none can, the next one that `search` finds, which is made then.
std::vector<pid_t> some_children(std::optional<ChildSearch>& search);

}  // namespace hostmesh::detail
