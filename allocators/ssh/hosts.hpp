// The list of hosts, as people write it: "user@node[01-16,20]:2222, other".
//
// Pure. Everything that could be taken for an option of ssh's, or for more than one word, is refused here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostmesh_ssh {

// What is said of a host alone, behind its name: "node1 slots=4 environment=A=1". Empty: as for all hosts.
struct HostSettings {
  std::optional<std::size_t> slots;
  std::string remote_command;
  std::string working_directory;
  std::string push_file;
  std::string push_folder;
  std::vector<std::string> environment;  // besides that of all hosts

  bool operator==(const HostSettings&) const = default;
};

struct Target {
  std::string user;        // empty: as ssh is configured
  std::string host;        // a name, an alias of ssh's configuration, or an address without brackets
  std::uint16_t port = 0;  // 0: as ssh is configured
  HostSettings own{};

  std::string text() const;
  bool operator==(const Target&) const = default;
};

// Each item may be several hosts, separated by commas or spaces, and each of those a range. An IPv6 address
// stands in brackets. KEY=VALUE belongs to the host before it, and ends at a space. Throws
// std::invalid_argument, which says what is wrong with which item.
std::vector<Target> parse_hosts(const std::vector<std::string>& items);
// One or several hosts on a line; from '#' on it is a comment. Throws with file:line.
std::vector<Target> parse_hosts_file(std::string_view text, const std::string& file);

// What may be a mistake, in a sentence; empty: nothing is.
std::string doubt_about(const Target& target);

}  // namespace hostmesh_ssh
