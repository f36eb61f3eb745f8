// ExecWords: what `hostmesh-bootstrap --exec` reads first from its stdin; docs/protocol.md describes it.
//
// Pure: entries in, bytes out.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "hostmesh/plugin/sdk.hpp"

namespace hostmesh_ssh {

class ExecWords {
 public:
  void add(char letter, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) {
      throw hostmesh::plugin::Error(hostmesh::plugin::Cause::kInvalidArgument,
                                    "a text with a NUL byte cannot be passed on");
    }
    entries_.push_back(static_cast<std::uint8_t>(letter));
    entries_.insert(entries_.end(), text.begin(), text.end());
    entries_.push_back(0);
  }
  std::vector<std::uint8_t> packed(const std::vector<std::uint8_t>& followed_by) const {
    std::vector<std::uint8_t> bytes{'H', 'M', 'X', '1'};
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<std::uint8_t>(entries_.size() >> shift));
    bytes.insert(bytes.end(), entries_.begin(), entries_.end());
    bytes.insert(bytes.end(), followed_by.begin(), followed_by.end());
    return bytes;
  }

 private:
  std::vector<std::uint8_t> entries_;
};

}  // namespace hostmesh_ssh
