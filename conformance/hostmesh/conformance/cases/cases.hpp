// The cases, group by group. To add one: a function that takes the Stage, and a row in its group's table.
#pragma once

#include <vector>

#include "hostmesh/conformance/case.hpp"

namespace hostmesh::conformance {

const std::vector<Case>& load_cases();
const std::vector<Case>& config_cases();
const std::vector<Case>& order_cases();
const std::vector<Case>& alloc_cases();
const std::vector<Case>& launch_cases();
const std::vector<Case>& output_cases();
const std::vector<Case>& stop_cases();
const std::vector<Case>& orphans_cases();
const std::vector<Case>& detect_cases();
const std::vector<Case>& secure_cases();
const std::vector<Case>& scale_cases();
const std::vector<Case>& files_cases();
const std::vector<Case>& inherited_cases();
const std::vector<Case>& client_cases();

}  // namespace hostmesh::conformance
