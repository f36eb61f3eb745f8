// What a process has from the one that started it, besides words, folder, descriptors and signals.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace hostmesh::payload {

// Of this process: names ("umask", "nice", "limit nofile") and values. What cannot be read is "?".
std::vector<std::pair<std::string, std::string>> attributes();

}  // namespace hostmesh::payload
