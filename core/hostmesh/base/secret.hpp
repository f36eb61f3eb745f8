// Secrets and the proofs made from them. Kept out of argv, environment, logs and error texts.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace hostmesh {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

// HMAC-SHA256 output.
using Proof = std::array<std::uint8_t, 32>;
using Nonce = std::array<std::uint8_t, 32>;
Nonce random_nonce();

// 32 bytes, wiped when destroyed.
class Secret {
 public:
  static constexpr std::size_t kSize = 32;
  Secret() = default;  // all zero; refused wherever a proof is made
  explicit Secret(std::span<const std::uint8_t, kSize> bytes);
  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  ~Secret();

  static Secret random();
  // A key that can be handed out without giving away this one: HMAC(this, label).
  Secret derive(std::string_view label) const;
  // HMAC-SHA256 over `message`.
  Proof prove(ByteView message) const;
  // In constant time.
  bool verify(ByteView message, const Proof& proof) const;

  bool empty() const;
  std::span<const std::uint8_t, kSize> bytes() const { return bytes_; }

 private:
  std::array<std::uint8_t, kSize> bytes_{};
};

}  // namespace hostmesh
