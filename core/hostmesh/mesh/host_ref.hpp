// HostRef and HostMeshRef: hosts by their addresses. Values without a life of their own; nothing is looked
// up.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/actor/ids.hpp"
#include "hostmesh/base/ids.hpp"
#include "hostmesh/mesh/messages.hpp"
#include "hostmesh/shape/region.hpp"

namespace hostmesh {

// A host is known by its front address and nothing else: everything on it is derived from that.
class HostRef {
 public:
  HostRef() = default;
  explicit HostRef(ChannelAddr addr) : addr_(std::move(addr)) {}

  const ChannelAddr& addr() const { return addr_; }
  ProcId service_proc() const { return ProcId::direct(addr_, kServiceProc); }
  ActorRef<HostAgentProtocol> agent() const;
  ProcId named_proc(std::string name) const { return ProcId::direct(addr_, std::move(name)); }

  auto operator<=>(const HostRef&) const = default;

 private:
  ChannelAddr addr_;
};

// A named mesh of hosts. Text: `name:host,host@region`, e.g. `test:local:1,local:2@replica=2/1`; the region
// keeps the coordinates of the mesh that it is a part of. In a host's text commas, quotes, blanks and '%' are
// percent-encoded, and the region starts at the last '@' outside quotes, so that every address parses back.
class HostMeshRef {
 public:
  // As many hosts as the region has ranks, in its order; otherwise an error with both numbers.
  static Result<HostMeshRef> make(Name name, Region region, std::vector<HostRef> hosts);
  static Result<HostMeshRef> parse(std::string_view text);

  const Name& name() const { return name_; }
  const Region& region() const { return region_; }
  const std::vector<HostRef>& hosts() const { return hosts_; }
  std::string text() const;

  // The hosts with these coordinates of a dimension; an integer is a range of one, and the dimension stays.
  Result<HostMeshRef> range(std::string_view label, const Range& range) const;
  // The hosts of a region that is contained in this one's.
  Result<HostMeshRef> sliced(const Region& region) const;

  bool operator==(const HostMeshRef&) const = default;

 private:
  HostMeshRef(Name name, Region region, std::vector<HostRef> hosts)
      : name_(std::move(name)), region_(std::move(region)), hosts_(std::move(hosts)) {}
  Name name_;
  Region region_;
  std::vector<HostRef> hosts_;
};

}  // namespace hostmesh
