// The list of hosts, as people write it: "user@node[01-16,20]:2222, other".
//
// Pure. Everything that could be taken for an option of ssh's, or for more than one word, is refused here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hostmesh_ssh {

struct Target {
  std::string user;        // empty: as ssh is configured
  std::string host;        // a name, an alias of ssh's configuration, or an address without brackets
  std::uint16_t port = 0;  // 0: as ssh is configured

  std::string text() const;
  bool operator==(const Target&) const = default;
  auto operator<=>(const Target&) const = default;
};

// Each item may be several hosts, separated by commas, and each of those a range. An IPv6 address stands in
// brackets. Throws std::invalid_argument, which says what is wrong with which item.
std::vector<Target> parse_hosts(const std::vector<std::string>& items);
// One or several hosts on a line; from '#' on it is a comment. Throws with file:line.
std::vector<Target> parse_hosts_file(std::string_view text, const std::string& file);

}  // namespace hostmesh_ssh
