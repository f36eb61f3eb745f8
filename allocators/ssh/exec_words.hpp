// ExecWords: what `hostmesh-bootstrap --exec` reads first from its stdin; docs/protocol.md describes it.
//
// Pure: entries in, bytes out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "guard.hpp"
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
    std::string text;
    for (int i = 0; i < kGuards; ++i) text += kGuard;
    text += "HMX2";
    for (int shift = 28; shift >= 0; shift -= 4) add_digit(text, entries_.size() >> shift);
    for (const std::uint8_t byte : entries_) {
      add_digit(text, byte >> 4U);
      add_digit(text, byte);
    }
    std::vector<std::uint8_t> bytes(text.begin(), text.end());
    bytes.insert(bytes.end(), followed_by.begin(), followed_by.end());
    return bytes;
  }

 private:
  // Shells that a profile has started without exec end one after the other.
  static constexpr int kGuards = 8;

  static void add_digit(std::string& text, std::size_t value) { text += "0123456789abcdef"[value & 15U]; }

  std::vector<std::uint8_t> entries_;
};

}  // namespace hostmesh_ssh
