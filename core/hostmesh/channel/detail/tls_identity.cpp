#include "hostmesh/channel/detail/tls_identity.hpp"

#include <charconv>
#include <optional>

#include "hostmesh/channel/detail/handshake_messages.hpp"

namespace hostmesh::detail {

namespace {

constexpr std::string_view kPrefix = "hostmesh/1/";

// Takes the part up to the next '/', and that.
std::optional<std::string_view> take_part(std::string_view& text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const std::string_view part = text.substr(0, slash);
  text.remove_prefix(slash + 1);
  return part;
}

template <class Number>
bool take_number(std::string_view& text, Number& number) {
  const auto part = take_part(text);
  if (!part) return false;
  const auto [end, failure] = std::from_chars(part->data(), part->data() + part->size(), number);
  return failure == std::errc() && end == part->data() + part->size();
}

}  // namespace

std::string tls_identity(const PeerClaim& claim) {
  // The free-form part comes last, so that no two claims share an identity.
  return std::string(kPrefix) + std::string(to_string(claim.role)) + "/" + std::to_string(claim.rank) + "/" +
         std::to_string(claim.incarnation) + "/" + claim.allocation;
}

Result<PeerClaim> parse_tls_identity(std::string_view identity) {
  const Error unknown(Cause::kProtocol, "an identity of another form than ours");
  if (!identity.starts_with(kPrefix)) return unknown;
  std::string_view rest = identity.substr(kPrefix.size());
  PeerClaim claim;
  const auto role = take_part(rest);
  if (role == to_string(Role::kChild)) {
    claim.role = Role::kChild;
  } else if (role != to_string(Role::kPeer)) {
    return unknown;
  }
  if (!take_number(rest, claim.rank) || !take_number(rest, claim.incarnation)) return unknown;
  if (rest.size() > kMaxAllocationText) return unknown;
  claim.allocation = rest;
  // One spelling each: no leading zeros.
  if (tls_identity(claim) != identity) return unknown;
  return claim;
}

Secret tls_key(const Secret& key) {
  return key.derive("hostmesh tls 1.3 external key 1");
}

}  // namespace hostmesh::detail
