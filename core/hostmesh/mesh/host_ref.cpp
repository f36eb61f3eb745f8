#include "hostmesh/mesh/host_ref.hpp"

#include <charconv>

namespace hostmesh {

namespace {

Error bad_mesh(std::string_view text, std::string_view why) {
  return Error(Cause::kInvalidArgument,
               "'" + std::string(text) + "' is not a host mesh (name:host,host@region): " + std::string(why));
}

// What would end a host's text, start a quoted label, or be taken for an escape or for room around a host.
std::string encode_host(const std::string& text) {
  constexpr std::string_view kSpecial = ",%\" ";
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    if (kSpecial.find(c) == std::string_view::npos) {
      encoded += c;
      continue;
    }
    encoded += '%';
    encoded += kDigits[static_cast<unsigned char>(c) >> 4];
    encoded += kDigits[static_cast<unsigned char>(c) & 15];
  }
  return encoded;
}

Result<std::string> decode_host(std::string_view text) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    unsigned value = 0;
    const char* begin = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) {
      return Error(Cause::kInvalidArgument, "a '%' without two hexadecimal digits");
    }
    decoded += static_cast<char>(value);
    i += 2;
  }
  return decoded;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// The last '@' that is not inside a quoted label.
std::size_t region_mark(std::string_view text) {
  std::size_t mark = std::string_view::npos;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && quoted) {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == '@' && !quoted) {
      mark = i;
    }
  }
  return mark;
}

}  // namespace

ActorRef<HostAgentProtocol> HostRef::agent() const {
  return ActorRef<HostAgentProtocol>::attest(ActorId{.proc = service_proc(), .name = kAgentActor});
}

Result<HostMeshRef> HostMeshRef::make(Name name, Region region, std::vector<HostRef> hosts) {
  if (region.num_ranks() != hosts.size()) {
    return Error(Cause::kInvalidArgument, "a region of " + std::to_string(region.num_ranks()) +
                                              " ranks cannot have " + std::to_string(hosts.size()) +
                                              " hosts");
  }
  return HostMeshRef(std::move(name), std::move(region), std::move(hosts));
}

Result<HostMeshRef> HostMeshRef::parse(std::string_view text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return bad_mesh(text, "it has no name");
  auto name = Name::parse(text.substr(0, colon));
  if (!name) return bad_mesh(text, name.error().text());
  const std::string_view rest = text.substr(colon + 1);
  const std::size_t mark = region_mark(rest);
  if (mark == std::string_view::npos) return bad_mesh(text, "it has no region");
  auto region = Region::parse(rest.substr(mark + 1));
  if (!region) return bad_mesh(text, region.error().text());

  std::vector<HostRef> hosts;
  std::string_view list = rest.substr(0, mark);
  for (bool more = !list.empty(); more;) {
    const std::size_t comma = std::min(list.find(','), list.size());
    more = comma < list.size();
    const auto host = decode_host(trimmed(list.substr(0, comma)));
    if (!host) return bad_mesh(text, host.error().text());
    const auto addr = ChannelAddr::parse(*host);
    if (!addr) return bad_mesh(text, addr.error().text());
    hosts.emplace_back(*addr);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  auto mesh = make(*std::move(name), *std::move(region), std::move(hosts));
  if (!mesh) return bad_mesh(text, mesh.error().text());
  return mesh;
}

std::string HostMeshRef::text() const {
  std::string text = name_.text() + ":";
  for (std::size_t i = 0; i < hosts_.size(); ++i) {
    if (i != 0) text += ",";
    text += encode_host(hosts_[i].addr().text());
  }
  return text + "@" + region_.text();
}

Result<HostMeshRef> HostMeshRef::range(std::string_view label, const Range& range) const {
  auto region = region_.range(label, range);
  if (!region) return region.error();
  return sliced(*region);
}

Result<HostMeshRef> HostMeshRef::sliced(const Region& region) const {
  const auto indices = region_.remap(region);
  if (!indices) {
    return Error(Cause::kInvalidArgument, "region " + region.text() + " is not part of " + region_.text());
  }
  std::vector<HostRef> hosts;
  hosts.reserve(indices->size());
  for (const Rank index : *indices) hosts.push_back(hosts_[index]);
  return HostMeshRef(name_, region, std::move(hosts));
}

}  // namespace hostmesh
