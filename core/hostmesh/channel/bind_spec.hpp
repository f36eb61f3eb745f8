// BindSpec: what a user may say about where to listen: "anywhere on this transport", or exactly one address.
// A value.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include "hostmesh/channel/addr.hpp"

namespace hostmesh {

class BindSpec {
 public:
  BindSpec() = default;  // any(Transport::kUnix)
  static BindSpec any(Transport transport) { return BindSpec(transport); }
  static BindSpec addr(ChannelAddr addr) { return BindSpec(std::move(addr)); }
  // A transport ("unix", "tcp(Localhost)"), else a URL, else an address.
  static Result<BindSpec> parse(std::string_view text);

  // The address to listen at; a new random one each time for any(kUnix).
  ChannelAddr binding_addr() const;
  Transport transport() const;
  bool is_any() const { return std::holds_alternative<Transport>(what_); }
  // Parses back to an equal value.
  std::string text() const;

  auto operator<=>(const BindSpec&) const = default;

 private:
  explicit BindSpec(Transport transport) : what_(transport) {}
  explicit BindSpec(ChannelAddr addr) : what_(std::move(addr)) {}
  std::variant<Transport, ChannelAddr> what_ = Transport::kUnix;
};

}  // namespace hostmesh
