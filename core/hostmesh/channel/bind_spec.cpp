#include "hostmesh/channel/bind_spec.hpp"

namespace hostmesh {

Result<BindSpec> BindSpec::parse(std::string_view text) {
  if (const auto transport = parse_transport(text)) return BindSpec::any(*transport);
  auto parsed = ChannelAddr::parse(text);
  if (!parsed) return parsed.error();
  return BindSpec::addr(*std::move(parsed));
}

ChannelAddr BindSpec::binding_addr() const {
  const Transport* transport = std::get_if<Transport>(&what_);
  return transport != nullptr ? ChannelAddr::any(*transport) : std::get<ChannelAddr>(what_);
}

Transport BindSpec::transport() const {
  const Transport* transport = std::get_if<Transport>(&what_);
  return transport != nullptr ? *transport : std::get<ChannelAddr>(what_).transport();
}

std::string BindSpec::text() const {
  const Transport* transport = std::get_if<Transport>(&what_);
  return transport != nullptr ? std::string(to_string(*transport)) : std::get<ChannelAddr>(what_).text();
}

}  // namespace hostmesh
