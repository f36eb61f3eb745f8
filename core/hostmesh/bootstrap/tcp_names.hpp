// TcpNames: what TCP_BIND and TCP_ADVERTISE are on this machine, numerically.
//
// TCP_BIND may end with ports, of which any that is free is taken: "10.1.2.3:5000-5100", "[::1]:5000",
// ":5000-5100". Either may be a host's name. It is resolved once, away from the reactor, before anybody
// listens; numeric addresses need no resolving. Owned by a Gate; reactor thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/config.hpp"
#include "hostmesh/channel/resolve.hpp"

namespace hostmesh::bootstrap {

class TcpNames {
 public:
  TcpNames(Reactor& reactor, const Config& config) : reactor_(reactor), config_(config) {}

  // Calls `done` once: within this call when there is no name to resolve, else later, and not after
  // destruction. Errors say which attribute and which name.
  void resolve(Deadline deadline, std::function<void(Result<>)> done);

  // The address to listen at, without a port; and the one to tell others, empty for the same. kConfiguration
  // while a name is not resolved, and when others could not dial what they are told.
  Result<ChannelAddr> bind() const;
  Result<std::string> advertise() const;
  // The ports to listen at, the first and the last one; 0 and 0 are any.
  struct Ports {
    std::uint16_t first = 0;
    std::uint16_t last = 0;
  };
  Result<Ports> ports() const;

 private:
  struct Name {
    const Attribute<std::string_view>& attribute;
    std::string text;  // that was resolved
    std::string ip;
    std::optional<Error> failure{};  // of the last resolving, of `failed`
    std::string failed{};
  };

  void resolve_next(Deadline deadline);
  Result<> choose(Name& name, const std::vector<ChannelAddr>& all) const;
  void failed(Name& name, const std::string& text, const Error& error);
  void answer(const Result<>& result);
  Result<ChannelAddr> numeric(const Name& name) const;
  // What the attribute says, without ports.
  std::string text_of(const Name& name) const;

  Reactor& reactor_;
  const Config& config_;
  Name bind_{attribute::kTcpBind, {}, {}};
  Name advertise_{attribute::kTcpAdvertise, {}, {}};
  std::unique_ptr<Resolution> asked_;
  std::vector<std::function<void(Result<>)>> waiting_;
};

}  // namespace hostmesh::bootstrap
