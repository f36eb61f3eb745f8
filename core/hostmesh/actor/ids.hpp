// Who can be addressed: a proc, an actor in it, a port of that actor; and their exact text forms.
//
// Plain values for any thread. Characters in a name or address that would not parse back are percent-encoded
// in the text. Default-constructed: nobody, whose text is "".
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/channel/addr.hpp"

namespace hostmesh {

// "unix:@x,worker": dial the address, ask for the name. Or "alloc[3]": a rank of an allocation, which only
// someone who bound it can reach.
class ProcId {
 public:
  struct Direct {
    ChannelAddr addr;
    std::string name;
    auto operator<=>(const Direct&) const = default;
  };
  struct Ranked {
    std::string allocation;
    Rank rank = 0;
    auto operator<=>(const Ranked&) const = default;
  };

  ProcId() = default;
  static ProcId direct(ChannelAddr addr, std::string name);
  static ProcId ranked(std::string allocation, Rank rank);
  static Result<ProcId> parse(std::string_view text);

  std::optional<Direct> as_direct() const;
  std::optional<Ranked> as_ranked() const;
  bool is_direct() const { return addr_.valid(); }
  bool valid() const { return !name_.empty(); }
  const ChannelAddr& addr() const { return addr_; }  // no address for a ranked one
  const std::string& name() const { return name_; }  // of the proc; of the allocation for a ranked one
  Rank rank() const { return rank_; }                // 0 for a direct one
  std::string text() const;

  auto operator<=>(const ProcId&) const = default;

 private:
  ProcId(ChannelAddr addr, std::string name, Rank rank)
      : addr_(std::move(addr)), name_(std::move(name)), rank_(rank) {}
  ChannelAddr addr_;
  std::string name_;
  Rank rank_ = 0;
};

// "unix:@x,worker,counter[0]" or "alloc[3].counter[0]". The first root actor of a name has pid 0; its
// children, and later actors of that name, have the numbers that follow, so an id never comes to mean another
// actor.
struct ActorId {
  ProcId proc;
  std::string name;
  std::uint64_t pid = 0;

  // "[pid]" may be missing: 0.
  static Result<ActorId> parse(std::string_view text);
  bool valid() const { return !name.empty(); }
  std::string text() const;
  // "counter[0]".
  std::string local_text() const;

  auto operator<=>(const ActorId&) const = default;
};

// "unix:@x,worker,counter[0][1024]".
struct PortId {
  ActorId actor;
  std::uint64_t port = 0;

  // A "<type>" after the number is skipped.
  static Result<PortId> parse(std::string_view text);
  bool valid() const { return actor.valid(); }
  std::string text() const;

  auto operator<=>(const PortId&) const = default;
};

}  // namespace hostmesh

template <>
struct std::hash<hostmesh::ProcId> {
  std::size_t operator()(const hostmesh::ProcId& id) const noexcept {
    return std::hash<hostmesh::ChannelAddr>()(id.addr()) * 31 + std::hash<std::string>()(id.name()) * 3 +
           id.rank();
  }
};
template <>
struct std::hash<hostmesh::ActorId> {
  std::size_t operator()(const hostmesh::ActorId& id) const noexcept {
    return std::hash<hostmesh::ProcId>()(id.proc) * 31 + std::hash<std::string>()(id.name) * 3 + id.pid;
  }
};
template <>
struct std::hash<hostmesh::PortId> {
  std::size_t operator()(const hostmesh::PortId& id) const noexcept {
    return std::hash<hostmesh::ActorId>()(id.actor) * 31 + id.port;
  }
};
