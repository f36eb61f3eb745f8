#include "hostmesh/base/secret.hpp"

#include <sodium.h>

#include <algorithm>

#include "hostmesh/base/error.hpp"

namespace hostmesh {

static_assert(crypto_auth_hmacsha256_BYTES == sizeof(Proof));
static_assert(crypto_auth_hmacsha256_KEYBYTES == Secret::kSize);

// sodium_init() is not called: it asks the processor for its features, which under a hypervisor costs a child
// more time than all its proofs, in order to choose among implementations; HMAC-SHA-256 and the system's
// random source have one.

Nonce random_nonce() {
  Nonce nonce;
  ::randombytes_buf(nonce.data(), nonce.size());
  return nonce;
}

Secret::Secret(std::span<const std::uint8_t, kSize> bytes) {
  std::copy(bytes.begin(), bytes.end(), bytes_.begin());
}

Secret::~Secret() {
  ::sodium_memzero(bytes_.data(), bytes_.size());
}

Secret Secret::random() {
  return Secret(random_nonce());
}

Secret Secret::derive(std::string_view label) const {
  const auto* begin = reinterpret_cast<const std::uint8_t*>(label.data());
  return Secret(prove(ByteView(begin, label.size())));
}

Proof Secret::prove(ByteView message) const {
  HOSTMESH_ASSERT(!empty(), "a proof with no secret");
  Proof proof;
  ::crypto_auth_hmacsha256(proof.data(), message.data(), message.size(), bytes_.data());
  return proof;
}

bool Secret::verify(ByteView message, const Proof& proof) const {
  if (empty()) return false;
  return ::crypto_auth_hmacsha256_verify(proof.data(), message.data(), message.size(), bytes_.data()) == 0;
}

bool Secret::empty() const {
  return ::sodium_is_zero(bytes_.data(), bytes_.size()) == 1;
}

}  // namespace hostmesh
