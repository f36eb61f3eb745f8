// ChannelAddr: where a process can be reached, and its exact text forms.
//
// A plain value for any thread. Hosts are numeric here: names are resolved by whoever knows the machine, so
// that parsing never waits for a name server.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

enum class Transport : std::uint8_t {
  kLocal,  // within this process
  kUnix,   // a unix stream socket: abstract name or path
  kTcp,
};

// "local", "unix", "tcp".
std::string_view to_string(Transport transport);
// The same, and "tcp(Localhost)" and "tcp(Hostname)".
Result<Transport> parse_transport(std::string_view text);

// Text forms: "unix:@name", "unix:/path", "tcp:127.0.0.1:80", "tcp:[::1]:80", "local:7". Default-constructed:
// no address at all, whose text is "".
class ChannelAddr {
 public:
  ChannelAddr() = default;

  // Accepts each text form, with '!' in place of the first ':' as well, "unix:" for a random abstract name,
  // and the URLs tcp://host:port ('*' is every address), inproc://N, ipc:///path and ipc://@name.
  static Result<ChannelAddr> parse(std::string_view text);

  // The address to listen at when any will do: local:0, a random abstract unix name, tcp:127.0.0.1:0.
  static ChannelAddr any(Transport transport);
  static ChannelAddr local(std::uint64_t number);
  // The names are not checked here, but where a socket is made: a path or name over 107 bytes is refused
  // there.
  static ChannelAddr unix_path(std::string path);
  static ChannelAddr unix_abstract(std::string name);
  // `ip` is a numeric IPv4 or IPv6 address without brackets.
  static Result<ChannelAddr> tcp(std::string_view ip, std::uint16_t port);

  bool valid() const { return kind_ != Kind::kNone; }
  // The following are meaningful for a valid address.
  Transport transport() const;
  std::string text() const;
  // True for local:0 and tcp port 0: only a listener gives these a meaning.
  bool is_any() const;

  // local: the number; tcp: the port; unix: 0.
  std::uint64_t number() const { return number_; }
  // unix: the name without '@', or the path; tcp: the numeric ip without brackets; local: empty.
  const std::string& name() const { return name_; }
  bool is_abstract() const { return kind_ == Kind::kAbstract; }
  // True for addresses that only this machine can reach.
  bool is_loopback() const;

  auto operator<=>(const ChannelAddr&) const = default;

 private:
  enum class Kind : std::uint8_t { kNone, kLocal, kAbstract, kPath, kTcp };
  ChannelAddr(Kind kind, std::string name, std::uint64_t number)
      : kind_(kind), name_(std::move(name)), number_(number) {}

  Kind kind_ = Kind::kNone;
  std::string name_;
  std::uint64_t number_ = 0;
};

}  // namespace hostmesh

template <>
struct std::hash<hostmesh::ChannelAddr> {
  std::size_t operator()(const hostmesh::ChannelAddr& addr) const noexcept {
    return std::hash<std::string>()(addr.name()) * 31 + std::hash<std::uint64_t>()(addr.number()) * 3 +
           (addr.is_abstract() ? 1 : 0);
  }
};
